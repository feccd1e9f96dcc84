// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The report at the end of a run, for people: from the same JSON that --json prints.

#include "base/jread.h"
#include "report/report.h"
#include "report/view.h"

#include <stdio.h>

static void print_section(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		puts(l->line[i].text);
	if (l->n > 0)
		putchar('\n');
	lines_done(l);
}

// Times and rates are by the TSC as it was measured, and that is said.
static void print_title(const json_t *doc)
{
	const char *name = json_string_value(json_object_get(doc, "name"));
	double hz = json_number_value(json_object_get(doc, "tsc_hz"));
	double eal = json_number_value(json_object_get(doc, "tsc_hz_of_eal"));

	if (name == NULL || name[0] == '\0')
		name = "drover";
	printf("%s: %.1f s of traffic\n", name, json_real_value(json_object_get(doc, "seconds")));
	printf("TSC: %.6f MHz, measured to %.2g ppm; EAL's figure, not used, is %.6g MHz: %+.2g "
	       "%%\n\n",
	       hz / 1e6,
	       1e6 * json_real_value(json_object_get(doc, "tsc_error")),
	       eal / 1e6,
	       100 * (eal / hz - 1));
}

void report_print(struct plane *p)
{
	_cleanup_json_ json_t *doc = report_json(p);
	const json_t *tasks = json_object_get(doc, "tasks");
	struct lines l = {0};

	if (doc == NULL) {
		fputs("drover: no report: out of memory\n", stderr);
		return;
	}
	print_title(doc);
	view_tasks(tasks, 0, &l);
	print_section(&l);
	view_ports(json_object_get(doc, "ports"), 0, &l);
	print_section(&l);
	view_rings(json_object_get(doc, "rings"), 0, &l);
	print_section(&l);
	view_latency(tasks, 0, &l);
	print_section(&l);
	view_jitter(tasks, 0, &l);
	print_section(&l);
	view_modes(tasks, 0, &l);
	print_section(&l);
}

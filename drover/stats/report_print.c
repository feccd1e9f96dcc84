// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The report at the end of a run, for people: from the same JSON that --json prints.

#include "base/jread.h"
#include "stats/stats.h"
#include "stats/view.h"

#include <stdio.h>

static void print_section(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		puts(l->line[i].text);
	if (l->n > 0)
		putchar('\n');
	lines_done(l);
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
	printf("%s: %.1f s of traffic\n\n",
	       json_string_value(json_object_get(doc, "name")),
	       json_real_value(json_object_get(doc, "seconds")));
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

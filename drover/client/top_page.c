// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/jread.h"
#include "base/str.h"
#include "client/top.h"
#include "report/view.h"
#include "text/figure.h"

static void put_title(const json_t *sample, struct lines *l)
{
	const json_t *info = json_object_get(sample, "info");
	const json_t *seconds = json_object_get(sample, "seconds");
	const char *name = json_text(info, "name", "-");
	char up[FIGURE_STR], over[64] = "no traffic yet";

	if (str_eq(name, "") || str_eq(name, "-"))
		name = json_text(info, "configuration", "-");
	if (seconds != NULL)
		snprintf(over, sizeof(over), "rates over %.1f s", json_real_value(seconds));
	figure_clock(json_number_value(json_object_get(info, "uptime_seconds")), up);
	lines_add(
		l,
		LINE_TITLE,
		-1,
		"drover %s: %s  pid %" JSON_INTEGER_FORMAT "  up %s  %s",
		json_text(info, "version", "-"),
		name,
		json_integer_value(json_object_get(info, "pid")),
		up,
		over
	);
}

static void put_gap(struct lines *l, size_t before)
{
	if (l->n > before)
		lines_add(l, LINE_TEXT, -1, "%s", "");
}

void page_lines(const json_t *sample, size_t width, struct lines *l)
{
	const json_t *tasks = json_object_get(sample, "tasks");
	size_t before;

	put_title(sample, l);
	put_gap(l, 0);
	before = l->n;
	view_tasks(tasks, width, l);
	put_gap(l, before);
	before = l->n;
	view_ports(json_object_get(sample, "ports"), width, l);
	put_gap(l, before);
	before = l->n;
	view_rings(json_object_get(sample, "rings"), width, l);
	put_gap(l, before);
	before = l->n;
	view_latency(tasks, width, l);
	put_gap(l, before);
	before = l->n;
	view_jitter(tasks, width, l);
	put_gap(l, before);
	view_modes(tasks, width, l);
}

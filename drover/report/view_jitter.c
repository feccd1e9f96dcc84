// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "report/view.h"
#include "text/figure.h"

#include <stdio.h>

// A figure of an object; the key says its unit.
static void put(struct table *t, const json_t *object, const char *key)
{
	char buf[FIGURE_STR];

	table_cell(t, "%s", figure_by_key(key, json_object_get(object, key), buf));
}

static void put_time(struct table *t, const json_t *times, const char *key)
{
	const json_t *v = json_object_get(times, key);
	char buf[FIGURE_STR];

	table_cell(t, "%s", json_is_number(v) ? figure_time(json_number_value(v), buf) : "-");
}

void view_jitter(const json_t *tasks, size_t width, struct lines *l)
{
	static const struct column columns[] = {
		{"JITTER", true, 0},
		{"CPU", false, 5},
		{"OVER", false, 7},
		{"GAPS FROM", false, 6},
		{"GAPS", false, 0},
		{"P50", false, 4},
		{"P99", false, 0},
		{"P99.9", false, 3},
		{"MAX", false, 0},
		{"LOST", false, 2},
		{"LOST SHARE", false, 0},
	};
	struct table t = TABLE(columns);
	const json_t *task;
	size_t i;

	json_array_foreach ((json_t *)tasks, i, task) {
		const json_t *report = json_object_get(task, "report");
		const json_t *gap = json_object_get(report, "gap");
		const char *name = json_string_value(json_object_get(task, "name"));

		if (gap == NULL)
			continue;
		table_cell(&t, "%s", name != NULL ? name : "-");
		put(&t, task, "cpu");
		put(&t, report, "measured_seconds");
		put(&t, report, "threshold_ns");
		put(&t, report, "gaps");
		put_time(&t, gap, "p50");
		put_time(&t, gap, "p99");
		put_time(&t, gap, "p99.9");
		put_time(&t, gap, "max");
		put(&t, report, "lost_ns");
		put(&t, report, "lost_share");
	}
	lines_table(l, &t, width, false);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "stats/stats.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"

#include <stdio.h>

const char *const stats_keys[] = {
	"name",
	"cpus",
	"cpu",
	"busy",
	"stolen",
	"ticks",
	"interrupts",
	"memory",
	"hugepages",
	"processes",
	NULL,
};

struct between {
	const struct stats *from, *to;
	double seconds;
};

static json_t *bytes(uint64_t v)
{
	return v != STATS_UNKNOWN ? json_integer((json_int_t)v) : json_null();
}

static json_t *row_of_cpu(const struct between *b, unsigned cpu)
{
	const struct host_tick *x = host_tick_of(b->from->ticks, b->from->nticks, cpu);
	const struct host_tick *y = host_tick_of(b->to->ticks, b->to->nticks, cpu);

	if (x == NULL || y == NULL)
		return NULL;
	return json_pack(
		"{s:i, s:o, s:o, s:f, s:f}",
		"cpu",
		(int)cpu,
		"busy",
		json_real_or_null(host_tick_busy(x, y)),
		"stolen",
		json_real_or_null(host_tick_stolen(x, y)),
		"ticks",
		host_tick_since(x->timer, y->timer) / b->seconds,
		"interrupts",
		host_tick_since(x->interrupts, y->interrupts) / b->seconds
	);
}

static json_t *hugepages_of(const struct stats_workload *w)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < w->nhugepages; i++) {
		const struct stats_hugepages *h = &w->hugepages[i];
		char size[SIZE_STR];

		json_array_append_new(
			all,
			json_pack(
				"{s:s, s:o, s:o, s:o}",
				"size",
				size_format(h->size, size),
				"used",
				bytes(h->used),
				"reserved",
				bytes(h->reserved),
				"granted",
				bytes(h->room)
			)
		);
	}
	return all;
}

static json_t *row_of(
	const struct between *b, const struct stats_workload *x, const struct stats_workload *y
)
{
	const struct grant *g = &y->lease.grant;
	json_t *cpus = json_array();
	bool counted =
		x->cpu_ns != STATS_UNKNOWN && y->cpu_ns != STATS_UNKNOWN && y->cpu_ns >= x->cpu_ns;

	idset_foreach (cpu, &g->cpus) {
		json_t *row = row_of_cpu(b, (unsigned)cpu);

		if (row != NULL)
			json_array_append_new(cpus, row);
	}
	return json_pack(
		"{s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name",
		g->name,
		"in",
		y->lease.site.name,
		"seconds",
		b->seconds,
		"cpu",
		json_real_or_null(
			counted ? (double)(y->cpu_ns - x->cpu_ns) / 1e7 / b->seconds : -1
		),
		"cpus",
		cpus,
		"memory",
		bytes(y->memory),
		"cache",
		bytes(y->cache),
		"memory_limit",
		g->memory > 0 ? bytes(g->memory) : json_null(),
		"processes",
		bytes(y->processes),
		"processes_limit",
		g->pids > 0 ? bytes(g->pids) : json_null(),
		"hugepages",
		hugepages_of(y)
	);
}

json_t *stats_rows(const struct stats *from, const struct stats *to)
{
	const struct between b = {from, to, (double)(to->at - from->at) / 1e9};
	json_t *rows = json_array();

	for (unsigned i = 0; i < to->n; i++) {
		const struct stats_workload *y = &to->workloads[i], *x = NULL;

		for (unsigned k = 0; k < from->n && x == NULL; k++) {
			if (lease_same_run(&from->workloads[k].lease, &y->lease))
				x = &from->workloads[k];
		}
		if (x != NULL && b.seconds > 0)
			json_array_append_new(rows, row_of(&b, x, y));
	}
	return rows;
}

// ---- for people

// The mean of its CPUs, or the sum; null: none of them is known.
static json_t *over_cpus(const json_t *cpus, const char *key, bool mean)
{
	const json_t *row;
	double sum = 0;
	size_t i, n = 0;

	json_array_foreach ((json_t *)cpus, i, row) {
		const json_t *v = json_object_get(row, key);

		if (!json_is_real(v))
			continue;
		sum += json_real_value(v);
		n++;
	}
	return n == 0 ? json_null() : json_real(mean ? sum / (double)n : sum);
}

static json_t *list_cpus(const json_t *cpus)
{
	struct idset set = {0};
	const json_t *row;
	char text[128];
	size_t i;

	json_array_foreach ((json_t *)cpus, i, row)
		idset_add(&set, (unsigned)json_integer_value(json_object_get(row, "cpu")));
	return idset_empty(&set) ? json_null()
				 : json_string(idset_format(&set, text, sizeof(text)));
}

// "12M/64M": whole MiB of what is used.
static json_t *memory_text(const json_t *row)
{
	const json_t *used = json_object_get(row, "memory");
	const json_t *limit = json_object_get(row, "memory_limit");
	char a[SIZE_STR], b[SIZE_STR];
	const uint64_t m = UINT64_C(1) << 20;

	if (!json_is_integer(used))
		return json_null();
	size_format(((uint64_t)json_integer_value(used) + m - 1) / m * m, a);
	if (!json_is_integer(limit))
		return json_string(a);
	return json_sprintf("%s/%s", a, size_format((uint64_t)json_integer_value(limit), b));
}

// "2M=16/512 1G=0/4": pages in use or reserved, of those granted.
static json_t *hugepages_text(const json_t *all)
{
	char text[160] = "";
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)all, i, one) {
		const char *name = json_string_value(json_object_get(one, "size"));
		json_int_t used = json_integer_value(json_object_get(one, "used"));
		json_int_t reserved = json_integer_value(json_object_get(one, "reserved"));
		uint64_t size = 1;
		struct err unused;

		if (size_parse(name, &size, &unused) < 0)
			continue;
		// a page that was reserved first counts in both
		str_add(text,
			sizeof(text),
			" ",
			"%s=%lld/%lld",
			name,
			(used > reserved ? used : reserved) / (json_int_t)size,
			json_integer_value(json_object_get(one, "granted")) / (json_int_t)size);
	}
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *processes_text(const json_t *row)
{
	const json_t *n = json_object_get(row, "processes");
	const json_t *limit = json_object_get(row, "processes_limit");

	if (!json_is_integer(n) || !json_is_integer(limit))
		return json_incref((json_t *)n);
	return json_sprintf("%lld/%lld", json_integer_value(n), json_integer_value(limit));
}

json_t *stats_table(const json_t *rows)
{
	json_t *table = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row) {
		const json_t *cpus = json_object_get(row, "cpus");

		json_array_append_new(
			table,
			json_pack(
				"{s:O, s:o, s:O, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
				"name",
				json_object_get(row, "name"),
				"cpus",
				list_cpus(cpus),
				"cpu",
				json_object_get(row, "cpu"),
				"busy",
				over_cpus(cpus, "busy", true),
				"stolen",
				over_cpus(cpus, "stolen", true),
				"ticks",
				over_cpus(cpus, "ticks", false),
				"interrupts",
				over_cpus(cpus, "interrupts", false),
				"memory",
				memory_text(row),
				"hugepages",
				hugepages_text(json_object_get(row, "hugepages")),
				"processes",
				processes_text(row)
			)
		);
	}
	return table;
}

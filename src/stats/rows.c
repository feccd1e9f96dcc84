// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "stats/stats.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"

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

static json_t *packets_of(const struct stats_packets *x, const struct stats_packets *y)
{
	double seconds = (double)(y->at - x->at) / 1e9, idle, polled;

	// counted anew since, or by other drovers
	if (x->at == 0 || seconds <= 0 || x->drovers != y->drovers || y->received < x->received
	    || y->sent < x->sent || y->dropped < x->dropped || y->busy < x->busy
	    || y->idle < x->idle)
		return json_null();
	idle = (double)(y->idle - x->idle);
	polled = idle + (double)(y->busy - x->busy);
	return json_pack(
		"{s:f, s:f, s:f, s:o}",
		"received",
		(double)(y->received - x->received) / seconds,
		"sent",
		(double)(y->sent - x->sent) / seconds,
		"dropped",
		(double)(y->dropped - x->dropped) / seconds,
		"idle_polling",
		json_real_or_null(polled > 0 ? 100 * idle / polled : -1)
	);
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
		"{s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
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
		hugepages_of(y),
		"packets",
		packets_of(&x->packets, &y->packets)
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

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The text format of Prometheus. Names of workloads are of characters that need no escape there.

#include "stats/stats.h"

#include "apply/apply.h"
#include "base/scope.h"
#include "base/size.h"

#include <inttypes.h>
#include <unistd.h>

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP pinfold_%s %s\n# TYPE pinfold_%s %s\n", name, help, name, type);
}

// A number of each workload, which may not be known.
struct metric {
	const char *name, *type, *help;
	size_t at; // in struct stats_workload
	enum {
		COUNT,
		NANOSECONDS,
		LIMIT,	   // 0: there is none
		OF_DROVER, // where one answers
	} kind;
};

#define OF(field) offsetof(struct stats_workload, field)

static const struct metric metrics[] = {
	{"start_time_seconds",
	 "gauge",
	 "When it was started, since the epoch.",
	 OF(lease.started),
	 COUNT},
	{"workload_cpu_seconds_total",
	 "counter",
	 "Time of its processes on CPUs.",
	 OF(cpu_ns),
	 NANOSECONDS},
	{"memory_bytes", "gauge", "Memory that counts against its limit.", OF(memory), COUNT},
	{"memory_cache_bytes",
	 "gauge",
	 "Of it, cache of files that the kernel can free.",
	 OF(cache),
	 COUNT},
	{"memory_limit_bytes", "gauge", "Its limit.", OF(lease.grant.memory), LIMIT},
	{"processes", "gauge", "Processes and threads.", OF(processes), COUNT},
	{"processes_limit", "gauge", "Their limit.", OF(lease.grant.pids), LIMIT},
	{"packets_received_total",
	 "counter",
	 "Packets that drover in it received.",
	 OF(packets.received),
	 OF_DROVER},
	{"packets_sent_total", "counter", "Packets that it sent.", OF(packets.sent), OF_DROVER},
	{"packets_dropped_total",
	 "counter",
	 "Packets that its tasks dropped or its ports lost.",
	 OF(packets.dropped),
	 OF_DROVER},
	{"polling_busy_cycles_total",
	 "counter",
	 "Cycles of its polls that found packets.",
	 OF(packets.busy),
	 OF_DROVER},
	{"polling_idle_cycles_total",
	 "counter",
	 "Cycles of its polls that found none.",
	 OF(packets.idle),
	 OF_DROVER},
};

static uint64_t value_of(const struct metric *m, const struct stats_workload *w)
{
	uint64_t v = *(const uint64_t *)((const char *)w + m->at);

	if ((m->kind == LIMIT && v == 0) || (m->kind == OF_DROVER && w->packets.at == 0))
		return STATS_UNKNOWN;
	return v;
}

// A number of each granted CPU.
struct cpu_metric {
	const char *name, *help;
	size_t offset; // in struct host_tick
	bool seconds;  // it is in the kernel's units of time
};

#define TICK(field) offsetof(struct host_tick, field)

static const struct cpu_metric cpu_metrics[] = {
	{"cpu_busy_seconds_total",
	 "Time since the boot that a granted CPU was busy, with whatever.",
	 TICK(busy),
	 true},
	{"cpu_stolen_seconds_total", "Time that the machine beneath took.", TICK(stolen), true},
	{"cpu_idle_seconds_total", "Time that it was idle.", TICK(idle), true},
	{"cpu_timer_interrupts_total", "Interrupts of its own timer.", TICK(timer), false},
	{"cpu_interrupts_total", "All of its interrupts.", TICK(interrupts), false},
};

static void expose_cpus(const struct stats *s, const struct cpu_metric *m, FILE *out)
{
	const double hertz = (double)sysconf(_SC_CLK_TCK);

	head(out, m->name, "counter", m->help);
	for (unsigned i = 0; i < s->n; i++) {
		const struct grant *g = &s->workloads[i].lease.grant;

		idset_foreach (cpu, &g->cpus) {
			const struct host_tick *t =
				host_tick_of(s->ticks, s->nticks, (unsigned)cpu);
			uint64_t v;

			if (t == NULL)
				continue;
			v = *(const uint64_t *)((const char *)t + m->offset);
			fprintf(out, "pinfold_%s{name=\"%s\",cpu=\"%d\"} ", m->name, g->name, cpu);
			if (m->seconds)
				fprintf(out, "%.2f\n", (double)v / hertz);
			else
				fprintf(out, "%" PRIu64 "\n", v);
		}
	}
}

static void expose_hugepages(const struct stats *s, FILE *out)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} kinds[] = {
		{"hugepages_bytes", "Hugepages in use.", offsetof(struct stats_hugepages, used)},
		{"hugepages_reserved_bytes",
		 "Hugepages that are reserved, in use or not.",
		 offsetof(struct stats_hugepages, reserved)},
		{"hugepages_granted_bytes",
		 "Hugepages that were granted.",
		 offsetof(struct stats_hugepages, room)},
	};
	char size[SIZE_STR];

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		head(out, kinds[k].name, "gauge", kinds[k].help);
		for (unsigned i = 0; i < s->n; i++) {
			const struct stats_workload *w = &s->workloads[i];

			for (unsigned h = 0; h < w->nhugepages; h++) {
				const struct stats_hugepages *p = &w->hugepages[h];
				uint64_t v = *(const uint64_t *)((const char *)p + kinds[k].offset);

				if (v != STATS_UNKNOWN)
					fprintf(out,
						"pinfold_%s{name=\"%s\",size=\"%s\"} %" PRIu64 "\n",
						kinds[k].name,
						w->lease.grant.name,
						size_format(p->size, size),
						v);
			}
		}
	}
}

// Limits that it ran into.
static void expose_hits(const struct ledger *l, const struct stats *s, FILE *out)
{
	head(out, "limit_hits_total", "counter", "How often it ran into a limit.");
	for (unsigned i = 0; i < s->n; i++) {
		const char *name = s->workloads[i].lease.grant.name;
		struct hits h;

		hits_read(&l->fs, &s->workloads[i].lease, &h);
		fprintf(out,
			"pinfold_limit_hits_total{name=\"%s\",limit=\"memory\"} %" PRIu64 "\n"
			"pinfold_limit_hits_total{name=\"%s\",limit=\"processes\"} %" PRIu64 "\n"
			"pinfold_limit_hits_total{name=\"%s\",limit=\"hugepages\"} %" PRIu64 "\n",
			name,
			h.killed,
			name,
			h.refused,
			name,
			h.hugepages);
	}
}

void stats_expose(const struct ledger *l, const struct stats *s, FILE *out)
{
	for (size_t k = 0; k < ARRAY_LEN(metrics); k++) {
		const struct metric *m = &metrics[k];

		head(out, m->name, m->type, m->help);
		for (unsigned i = 0; i < s->n; i++) {
			uint64_t v = value_of(m, &s->workloads[i]);

			if (v == STATS_UNKNOWN)
				continue;
			fprintf(out,
				"pinfold_%s{name=\"%s\"} ",
				m->name,
				s->workloads[i].lease.grant.name);
			if (m->kind == NANOSECONDS)
				fprintf(out, "%.6f\n", (double)v / 1e9);
			else
				fprintf(out, "%" PRIu64 "\n", v);
		}
	}
	for (size_t k = 0; k < ARRAY_LEN(cpu_metrics); k++)
		expose_cpus(s, &cpu_metrics[k], out);
	expose_hugepages(s, out);
	expose_hits(l, s, out);
}

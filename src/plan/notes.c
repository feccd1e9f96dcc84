// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a person should know about a plan that is no error.

#include "base/jread.h"
#include "base/scope.h"
#include "host/noise.h"
#include "plan/make.h"

#include <stdarg.h>
#include <string.h>

#define EAL_LCORES 128 // of Debian's build

void plan_note(struct plan *p, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text == NULL || json_array_append_new(p->notes, json_string(text)) < 0)
		p->failed = true;
}

static void note_lcores(struct plan *p, const struct idset *cpus)
{
	int first = idset_first(cpus), high = idset_next(cpus, EAL_LCORES);

	if (high >= 0)
		plan_note(
			p,
			"CPU %d has no lcore of its own number in Debian's EAL (0 to %d): start "
			"the program with --lcores, as in --lcores 0@%d",
			high,
			EAL_LCORES - 1,
			high
		);
	if (idset_count(cpus) == 1)
		plan_note(
			p,
			"one CPU: a program that wants two lcores (testpmd) needs --lcores "
			"0@%d,1@%d",
			first,
			first
		);
}

// Hyper-threads of granted cores that others may use.
static void note_siblings(struct plan *p, const struct idset *cpus)
{
	struct idset others = {0};
	char text[IDSET_STR];

	idset_foreach (id, cpus) {
		const struct host_cpu *c = host_cpu(p->host, (unsigned)id);

		if (c != NULL)
			idset_or(&others, &c->siblings);
	}
	idset_andnot(&others, cpus);
	if (!idset_empty(&others))
		plan_note(
			p,
			"hyper-threads of granted cores are not granted: what runs on CPU %s takes "
			"from them; grant them too, or keep them idle",
			idset_format(&others, text, sizeof(text))
		);
}

static void note_noise(struct plan *p, const struct idset *cpus)
{
	struct host_noise noise;

	host_noise(p->fs, cpus, &noise);
	if (noise.irqs.n > 0)
		plan_note(
			p,
			"interrupts that come to the granted CPUs: %u (%s); move them with "
			"/proc/irq/NUMBER/smp_affinity_list",
			noise.irqs.n,
			noise.irqs.names
		);
	if (noise.kthreads.n > 0)
		plan_note(
			p,
			"kernel threads that may run on the granted CPUs: %u (%s); keep them away "
			"with isolcpus= or nohz_full= on the kernel's command line",
			noise.kthreads.n,
			noise.kthreads.names
		);
	if (noise.pinned.n > 0)
		plan_note(
			p,
			"processes that may run on the granted CPUs alone: %u (%s); move them with "
			"taskset",
			noise.pinned.n,
			noise.pinned.names
		);
}

void plan_notes(struct plan *p)
{
	struct idset cpus = grant_all_cpus(&p->lease.grant);

	note_lcores(p, &cpus);
	if (p->launch->look) {
		note_siblings(p, &p->lease.grant.cpus);
		note_noise(p, &p->lease.grant.cpus);
	}
	if (p->lease.grant.nlinks > 0)
		plan_note(
			p,
			"the two ends of a link (%s) trust each other: DPDK's memif driver "
			"believes "
			"what its peer writes, and a hostile one can take over the program",
			p->lease.grant.links[0].name
		);
	if (p->launch->allow_missing != 0)
		plan_note(p, "limits were waived with --allow-missing: the fence has a gap");
}

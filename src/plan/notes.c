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

// "0@130,1@131", an lcore for each CPU.
static char *lcores_of(const struct idset *cpus)
{
	char *text = NULL;
	unsigned n = 0;

	idset_foreach (id, cpus) {
		char *longer = str_printf("%s%s%u@%d", n > 0 ? text : "", n > 0 ? "," : "", n, id);

		free(text);
		text = longer;
		if (text == NULL)
			return NULL;
		n++;
	}
	return text;
}

static void note_lcores(struct plan *p, const struct idset *cpus)
{
	int first = idset_first(cpus), high = idset_next(cpus, EAL_LCORES);
	_cleanup_free_ char *lcores = high >= 0 ? lcores_of(cpus) : NULL;

	if (high >= 0)
		plan_note(
			p,
			"CPU %d has no lcore of its own number in Debian's EAL (0 to %d): start "
			"the program with --lcores %s",
			high,
			EAL_LCORES - 1,
			lcores != NULL ? lcores : "0@CPU"
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

// The CPUs of a set that are like its first one.
static struct idset alike(
	const struct host *host,
	const struct idset *cpus,
	bool (*like)(const struct host_cpu *, const struct host_cpu *)
)
{
	const struct host_cpu *first = host_cpu(host, (unsigned)idset_first(cpus));
	struct idset found = {0};

	idset_foreach (id, cpus) {
		const struct host_cpu *c = host_cpu(host, (unsigned)id);

		if (c == NULL || first == NULL || like(first, c))
			idset_add(&found, (unsigned)id);
	}
	return found;
}

// "1-3 and 8", the parts of a set that are alike. Their number.
static unsigned parts_of(
	const struct host *host,
	const struct idset *cpus,
	bool (*like)(const struct host_cpu *, const struct host_cpu *),
	char text[static 512]
)
{
	struct idset left = *cpus;
	unsigned parts = 0;
	size_t n = 0;

	text[0] = '\0';
	while (!idset_empty(&left)) {
		struct idset some = alike(host, &left, like);
		char list[IDSET_STR];

		idset_andnot(&left, &some);
		idset_format(&some, list, sizeof(list));
		if (n < 512)
			n += (size_t
			)snprintf(text + n, 512 - n, "%s%s", parts > 0 ? " and " : "", list);
		parts++;
	}
	return parts;
}

static bool same_l3(const struct host_cpu *a, const struct host_cpu *b)
{
	return a->l3 == b->l3;
}

static bool same_l2(const struct host_cpu *a, const struct host_cpu *b)
{
	return a->l2 == b->l2;
}

static bool same_kind(const struct host_cpu *a, const struct host_cpu *b)
{
	return a->speed == b->speed;
}

static void note_sharing(struct plan *p, const struct idset *cpus)
{
	const struct host *host = p->host;
	const struct host_cpu *first = host_cpu(host, (unsigned)idset_first(cpus));
	char text[512];

	if (idset_count(cpus) < 2 || first == NULL)
		return;
	if (parts_of(host, cpus, same_kind, text) > 1)
		plan_note(
			p,
			"granted CPUs are of different kinds, fast and slow: %s; name CPUs of one "
			"kind with --cpus",
			text
		);
	if (first->l2 >= 0 && parts_of(host, cpus, same_l2, text) == 1)
		plan_note(p, "granted CPUs share an L2 cache: %s", text);
	else if (first->l3 >= 0 && parts_of(host, cpus, same_l3, text) == 1)
		plan_note(p, "granted CPUs share an L3 cache: %s", text);
	else if (first->l3 >= 0)
		plan_note(
			p,
			"granted CPUs have different L3 caches: %s; what one passes to another "
			"goes the longer way",
			text
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

// What one end of a link can do to the other, once for each kind.
static void note_links(struct plan *p)
{
	static const struct {
		const char *kind, *says;
	} kinds[] = {
		{"memif",
		 "the two ends of a link (%s) trust each other: DPDK's memif driver believes what "
		 "its peer writes, and a hostile one can take over the program"},
		{"vhost-user",
		 "the two ends of a link (%s) trust each other: the server of vhost-user has all "
		 "of its client's shared memory, of a virtual machine all there is"},
	};

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (unsigned i = 0; i < p->lease.grant.nlinks; i++) {
			if (!str_eq(p->lease.grant.links[i].kind, kinds[k].kind))
				continue;
			plan_note(p, kinds[k].says, p->lease.grant.links[i].name);
			break;
		}
	}
}

void plan_notes(struct plan *p)
{
	struct idset cpus = grant_all_cpus(&p->lease.grant);

	note_lcores(p, &cpus);
	if (p->launch->look) {
		note_sharing(p, &p->lease.grant.cpus);
		note_siblings(p, &p->lease.grant.cpus);
		note_noise(p, &p->lease.grant.cpus);
	}
	note_links(p);
	if (p->launch->allow_missing != 0)
		plan_note(p, "limits were waived with --allow-missing: the fence has a gap");
}

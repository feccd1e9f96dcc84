// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/cpus.h"

#include "bench/place.h"

// The one that functions otherwise run on; else one beside which the tester is on another core. -1: none.
static int pick(const struct bench *b, const struct idset *set)
{
	int found = idset_first(set);

	if (idset_has(set, (unsigned)b->cpu_vnf))
		return b->cpu_vnf;
	for (int cpu = found; cpu >= 0; cpu = idset_next(set, (unsigned)cpu + 1)) {
		if (cpu == b->cpu_tester)
			continue;
		if (!place_same_core(cpu, b->cpu_tester))
			return cpu;
		found = cpu;
	}
	return found;
}

void cpu_kinds(const struct bench *b, struct cpu_kind ret[CPU_KINDS])
{
	struct idset isolated = places_listed("isolated"), nohz = places_listed("nohz_full"),
		     normal = places_listed("online");

	idset_andnot(&normal, &isolated);
	idset_andnot(&normal, &nohz);
	ret[0] = (struct cpu_kind){
		.name = "a normal CPU",
		.cpu = pick(b, &normal),
		.why = "all CPUs are isolated or nohz_full",
	};
	ret[1] = (struct cpu_kind){
		.name = "an isolated CPU",
		.cpu = pick(b, &isolated),
		.why = "the kernel was started without isolcpus=, so no CPU is isolated",
	};
	ret[2] = (struct cpu_kind){
		.name = "a nohz_full CPU",
		.cpu = pick(b, &nohz),
		.why = "the kernel was started without nohz_full=, or cannot stop its tick",
	};
}

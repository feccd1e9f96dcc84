// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/place.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <sched.h>
#include <stdlib.h>

#define CPU_DIR "/sys/devices/system/cpu"

// The first number of a file of a CPU's topology; -1 where the kernel does not say.
static int topology(int cpu, const char *name)
{
	_cleanup_free_ char *path = need(str_printf(CPU_DIR "/cpu%d/topology/%s", cpu, name));
	_cleanup_free_ char *text = NULL;

	return fs_read_file(path, 4096, &text, NULL) == 0 ? atoi(text) : -1;
}

struct idset places_listed(const char *file)
{
	_cleanup_free_ char *path = need(str_printf(CPU_DIR "/%s", file)), *text = NULL;
	struct idset found = {0};
	struct err none;

	if (fs_read_file(path, 65536, &text, NULL) < 0 || idset_parse(text, &found, &none) < 0)
		found = (struct idset){0};
	return found;
}

// Whether this thread can be put there; `back` is where it goes afterwards.
static bool may_use(unsigned cpu, const cpu_set_t *back)
{
	cpu_set_t one;
	bool may;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	may = sched_setaffinity(0, sizeof(one), &one) == 0;
	sched_setaffinity(0, sizeof(*back), back);
	return may;
}

unsigned places_find(struct place ret[PLACES])
{
	struct idset isolated = places_listed("isolated"), others = places_listed("online");
	bool chosen = false;
	cpu_set_t may;
	unsigned n = 0;

	if (sched_getaffinity(0, sizeof(may), &may) < 0)
		return 0;
	idset_andnot(&others, &isolated);
	for (int cpu = idset_first(&others); cpu >= 0; cpu = idset_next(&others, (unsigned)cpu + 1))
		chosen |= !CPU_ISSET((unsigned)cpu, &may);
	for (unsigned cpu = 0; cpu < PLACES; cpu++) {
		bool apart = idset_has(&isolated, cpu);

		if (!CPU_ISSET(cpu, &may) && (chosen || !apart || !may_use(cpu, &may)))
			continue;
		ret[n++] = (struct place){
			.cpu = (int)cpu,
			.isolated = apart,
			.core = topology((int)cpu, "thread_siblings_list"),
			.package = topology((int)cpu, "physical_package_id"),
		};
	}
	return n;
}

static bool same(int a, int b)
{
	return a >= 0 && a == b;
}

void places_choose(const struct place *p, unsigned n, int *ret_vnf, int *ret_tester)
{
	const struct place *vnf = &p[0], *tester = NULL;
	int best = -1;

	for (unsigned i = 1; i < n; i++) {
		if (p[i].isolated || !vnf->isolated)
			vnf = &p[i];
	}
	for (unsigned i = 0; i < n; i++) {
		int worth = 4 * !same(p[i].core, vnf->core) + 2 * (p[i].package == vnf->package)
			    + (p[i].isolated ? 1 : 0);

		if (&p[i] == vnf || worth < best)
			continue;
		best = worth;
		tester = &p[i];
	}
	*ret_vnf = vnf->cpu;
	*ret_tester = tester != NULL ? tester->cpu : vnf->cpu;
}

bool place_same_core(int a, int b)
{
	return same(topology(a, "thread_siblings_list"), topology(b, "thread_siblings_list"));
}

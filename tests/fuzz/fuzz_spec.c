// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// config.json of an engine, hostile: what is read of it, that it is printed as it was, and what a plan makes of it.

#include "fuzz.h"

#include "base/jdoc.h"
#include "base/jread.h"
#include "plan/plan.h"
#include "runtime/claim.h"
#include "runtime/derive.h"
#include "runtime/update.h"

#define MIB (UINT64_C(1) << 20)

static struct host_node node = {
	.mem_total = 1024 * MIB,
	.mem_free = 1024 * MIB,
	.hugepages = {{.size = 2 * MIB, .total = 64, .free = 64}},
};

static struct host_cpu cpus[2] = {{.id = 0}, {.id = 1}};

// A machine with two CPUs and hugepages, and no file at all.
static struct host machine(void)
{
	struct host h = {
		.ncpus = 2,
		.cpus = cpus,
		.nnodes = 1,
		.nodes = &node,
		.nsizes = 1,
		.hugepages = {{.size = 2 * MIB, .total = 64, .free = 64}},
		.cgroup =
			{
				.version = HOST_CGROUP_V2,
				.controllers = HOST_CG_CPUSET | HOST_CG_MEMORY | HOST_CG_PIDS
					       | HOST_CG_HUGETLB | HOST_CG_HUGETLB_RSVD,
				.mount = "/sys/fs/cgroup",
			},
		.mem_total = 1024 * MIB,
		.default_hugepage = 2 * MIB,
	};

	for (unsigned i = 0; i < 2; i++) {
		idset_add(&h.online, i);
		idset_add(&h.present, i);
		idset_add(&h.possible, i);
	}
	idset_add(&h.nodes_online, 0);
	idset_add(&h.nodes_with_memory, 0);
	return h;
}

static struct grant granted(void)
{
	struct grant g = {
		.name = "fuzz",
		.memory = 64 * MIB,
		.pids = 32,
		.nhugepages = 1,
		.hugepages = {{.size = 2 * MIB, .count = 4}},
	};

	idset_add(&g.cpus, 1);
	idset_add(&g.mems, 0);
	return g;
}

static void plan_it(
	const json_t *spec,
	enum site_place place,
	const struct grant *g,
	const struct host *h,
	const struct hostfs *fs
)
{
	char *argv[] = {(char *)LAUNCH_CONTAINER, NULL};
	struct launch launch = {
		.site = site_of(place),
		.argv = argv,
		.inside = "/x/pinfold-inside",
		.spec = spec,
		.config = "/x/config.json",
	};
	struct lease lease = {.grant = *g, .boot_id = "fuzz"};
	struct plan p;
	struct err err = {0};

	runtime_assume(&launch.site.runtime, &runtime_crun, "/x/crun");
	if (plan_build(&lease, &launch, h, fs, &p, &err) < 0) {
		must_explain(&err);
		return;
	}
	must(json_is_object(p.oci));
	plan_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_string(data, size);
	_cleanup_free_ char *once = NULL, *twice = NULL;
	_cleanup_json_ json_t *doc = NULL, *again = NULL;
	struct host h = machine();
	struct grant g = granted(), derived;
	struct claim claim = {0};
	struct hostfs fs;
	struct err err = {0};

	claim_possible(text, strlen(text));
	if (jdoc_parse(text, strlen(text), "config.json", &doc, &err) < 0) {
		must_explain(&err);
		return 0;
	}
	if (claim_read(doc, &claim, &err) < 0)
		must_explain(&err);
	once = jdoc_print(doc);
	if (once == NULL)
		return 0;
	must(jdoc_parse(once, strlen(once), "config.json", &again, &err) == 0);
	twice = jdoc_print(again);
	must(twice != NULL && strcmp(once, twice) == 0);
	// a root without the files that are looked for
	must(hostfs_open("/dev", &fs, &err) == 0);
	plan_it(doc, PLACE_ENGINE, &g, &h, &fs);
	derive_needed(doc, &fs);
	if (derive_grant(doc, &h, &fs, &derived, &err) == 0) {
		snprintf(derived.name, sizeof(derived.name), "ctr-fuzz");
		plan_it(doc, PLACE_GIVEN, &derived, &h, &fs);
	} else {
		must_explain(&err);
	}
	if (update_check_resources(again, &g, &err) < 0)
		must_explain(&err);
	hostfs_close(&fs);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What an auditor takes from a grant.

#include "unit.h"

#include "inside/audit/given.h"

#include <string.h>

#define HEAD "{\"format\": 1, \"name\": \"a\", \"cpus\": \"1-2\", \"mems\": \"0\", "
#define REST "\"memory\": \"512M\", \"pids\": 128"

static int parse(const char *text, struct given *g, struct err *err)
{
	return given_parse(text, strlen(text), "grant 'x'", g, err);
}

static void whole(void **)
{
	struct given g;
	struct err err;

	assert_ok(
		parse(HEAD REST
		      ", \"shared-pool\": \"c\", \"shared-cpus\": \"5\", \"hugepages\": ["
		      "{\"size\": \"2M\", \"count\": 4, \"node\": 0},"
		      "{\"size\": \"1G\", \"count\": 1, \"node\": 1, \"kind\": \"anon\"},"
		      "{\"size\": \"2M\", \"count\": 3, \"node\": 1}],"
		      "\"nics\": [{\"pci\": \"0000:3b:00.0\", \"iommu-group\": 7},"
		      "{\"pci\": \"0000:3c:00.0\", \"unsafe-uio\": true},"
		      "{\"pci\": \"0000:3d:00.0\", \"bifurcated\": true}],"
		      "\"hugetlbfs\": [{\"size\": \"2M\", \"path\": \"/dev/hugepages\"}]}",
		      &g,
		      &err),
		&err
	);
	assert_true(g.known && idset_has(&g.cpus, 2) && idset_has(&g.cpus, 5));
	assert_int_equal(idset_count(&g.cpus), 3);
	assert_int_equal(g.memory, 512 << 20);
	// of all nodes and both kinds
	assert_int_equal(given_pages(&g, 2 << 20), 7);
	assert_int_equal(given_pages(&g, 1 << 30), 1);
	assert_int_equal(given_pages(&g, 64 << 10), 0);
	assert_int_equal(g.nics[0].iommu_group, 7);
	assert_true(g.nnics == 3 && !g.nics[0].uio && g.nics[1].uio);
	assert_true(!g.nics[1].bifurcated && g.nics[2].bifurcated && !g.nics[2].uio);
	assert_string_equal(g.mounts[0].path, "/dev/hugepages");
}

static void refused(void **)
{
	static const char *const texts[] = {
		"",
		"[]",
		HEAD "\"memory\": \"512M\"}",
		HEAD REST ", \"hugepages\": 1}",
		HEAD REST ", \"hugepages\": [1]}",
		HEAD REST ", \"hugepages\": [{\"size\": \"3M\", \"count\": 1}]}",
		HEAD REST ", \"nics\": [{\"pci\": \"0000:3b:00.0\"}]}",
		"{\"format\": 2, \"name\": \"a\", \"cpus\": \"1\", \"mems\": \"0\", " REST "}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct given g = {.npages = 99};
		struct err err;

		assert_fails(parse(texts[i], &g, &err), &err, "grant 'x'");
		assert_int_equal(g.npages, 99);
	}
}

// A machine without an IOMMU has no groups.
static void of_a_machine(void **)
{
	struct given g;
	struct err err;

	assert_ok(
		parse(HEAD REST ", \"nics\": [{\"pci\": \"0000:01:00.0\"}], \"machine\": {}}",
		      &g,
		      &err),
		&err
	);
	assert_true(g.machine);
	assert_int_equal(g.nnics, 1);
	assert_string_equal(g.nics[0].pci, "0000:01:00.0");
}

static void missing(void **)
{
	struct given g = {.known = true};
	struct err err;

	assert_ok(given_read("/no/such/file", &g, &err), &err);
	assert_false(g.known);
	g.known = true;
	assert_ok(given_read("/dev/null", &g, &err), &err);
	assert_false(g.known);
	assert_fails(given_read("/proc", &g, &err), &err, "'/proc'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(refused),
		cmocka_unit_test(of_a_machine),
		cmocka_unit_test(missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

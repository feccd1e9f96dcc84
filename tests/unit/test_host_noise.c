// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "fake.h"
#include "host/noise.h"

static struct host_noise look(const char *cpus)
{
	struct host_noise noise;
	struct hostfs fs;
	struct host h;
	struct idset set;
	struct err err;

	assert_ok(idset_parse(cpus, &set, &err), &err);
	fake_open("paper", &fs, &h);
	host_noise(&fs, &set, &noise);
	host_done(&h);
	hostfs_close(&fs);
	return noise;
}

static void assert_kind(const struct host_noise_kind *k, unsigned n, const char *names)
{
	assert_int_equal(k->n, n);
	assert_string_equal(k->names, names);
}

// CPU 2 gets one interrupt; a thread bound to it is no noise; its name may hold a bracket.
static void isolated_cpu(void **)
{
	struct host_noise n = look("2");

	assert_kind(&n.irqs, 1, "41 eno1-TxRx-1");
	assert_kind(&n.kthreads, 1, "90 kworker/u96:1-events) S 1 (");
	assert_kind(&n.pinned, 1, "700 collector");
}

// Its first thread may go anywhere.
static void bound_thread(void **)
{
	struct host_noise n = look("5,6");

	assert_kind(&n.pinned, 1, "800 testpmd");
}

// An interrupt without a handler is not in use.
static void unused_interrupt(void **)
{
	struct host_noise n = look("3");

	assert_kind(&n.irqs, 0, "");
	assert_kind(&n.pinned, 0, "");
}

static void housekeeping_cpus(void **)
{
	struct host_noise n = look("0,2,12,24,36");

	assert_int_equal(n.irqs.n, 3);
	assert_int_equal(n.kthreads.n, 2);
	assert_int_equal(n.pinned.n, 3); // each of them may run on some of these alone
}

// The kernel's own files.
static void this_machine(void **)
{
	struct host_noise noise;
	struct idset all = {0};
	struct hostfs fs;
	struct err err;

	for (unsigned i = 0; i < IDSET_MAX; i++)
		idset_add(&all, i);
	assert_ok(hostfs_open("/", &fs, &err), &err);
	host_noise(&fs, &all, &noise);
	hostfs_close(&fs);
	assert_true(noise.pinned.n > 0); // this process at least
	assert_true(strlen(noise.pinned.names) < sizeof(noise.pinned.names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isolated_cpu),
		cmocka_unit_test(bound_thread),
		cmocka_unit_test(unused_interrupt),
		cmocka_unit_test(housekeeping_cpus),
		cmocka_unit_test(this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "fake.h"
#include "host/noise.h"
#include "host/ticks.h"

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

// Whom the CPU is granted to is not what disturbs it.
static void workload(void **)
{
	struct host_noise n = look("7");

	assert_kind(&n.pinned, 0, "");
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

// ---- what a CPU is, and what it did

// CPU 1 of the machine is tickless and isolated, and its other hyper-thread is 25; CPU 0 is neither, and its is 24.
static void what_a_cpu_is(void **)
{
	const struct host_tick from[] = {{.cpu = 0}, {.cpu = 1}, {.cpu = 24}, {.cpu = 25}};
	const struct host_tick to[] = {
		{.cpu = 0, .timer = 500, .interrupts = 700, .busy = 150, .stolen = 50},
		{.cpu = 1, .timer = 2, .interrupts = 2, .busy = 200},
		{.cpu = 25, .busy = 30, .idle = 170},
	};
	const struct host_count c = {from, to, 4, 3, 2.0};
	struct {
		unsigned cpu;
		const char *row;
	} rows[] = {
		{0,
		 "{\"cpu\": 0, \"isolated\": false, \"tickless\": false, \"ticks\": 250.0, "
		 "\"interrupts\": 350.0, \"busy\": 75.0, \"stolen\": 25.0, \"sibling\": null}"},
		{1,
		 "{\"cpu\": 1, \"isolated\": true, \"tickless\": true, \"ticks\": 1.0, "
		 "\"interrupts\": 1.0, \"busy\": 100.0, \"stolen\": 0.0, \"sibling\": 15.0}"},
	};
	struct host h;

	fake_read("paper", &h);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *row = host_count_row(&c, &h, rows[i].cpu);
		_cleanup_free_ char *text = json_dumps(row, 0);

		assert_string_equal(text, rows[i].row);
	}
	assert_null(host_count_row(&c, &h, 24)); // it went
	assert_null(host_count_row(&c, &h, 48));
	// isolated alone, as "10-11" has a 1 in it and is not CPU 1
	h.nohz_full = (struct idset){0};
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		_cleanup_json_ json_t *row = host_count_row(&c, &h, cpu);

		assert_int_equal(json_is_true(json_object_get(row, "isolated")), cpu == 1);
		assert_false(json_is_true(json_object_get(row, "tickless")));
	}
	host_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isolated_cpu),
		cmocka_unit_test(bound_thread),
		cmocka_unit_test(workload),
		cmocka_unit_test(unused_interrupt),
		cmocka_unit_test(housekeeping_cpus),
		cmocka_unit_test(this_machine),
		cmocka_unit_test(what_a_cpu_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

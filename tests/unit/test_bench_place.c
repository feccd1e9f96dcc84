// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which CPUs are measured on, of machines that are not here.

#include "unit.h"

#include "bench/place.h"

#include <sched.h>

static void check(const struct place *p, unsigned n, int vnf, int tester)
{
	int a, b;

	places_choose(p, n, &a, &b);
	assert_int_equal(a, vnf);
	assert_int_equal(b, tester);
}

static void two_cores(void **)
{
	static const struct place p[] = {{0, false, 0, 0}, {1, false, 1, 0}};

	check(p, 2, 1, 0);
	check(p, 1, 0, 0);
}

// Threads 0,4 1,5 2,6 3,7: not two of one core.
static void threads_of_cores(void **)
{
	struct place p[8];

	for (int i = 0; i < 8; i++)
		p[i] = (struct place){i, false, i % 4, 0};
	check(p, 8, 7, 6);
	// neighbours in their numbers are those of one core
	for (int i = 0; i < 8; i++)
		p[i].core = i & ~1;
	check(p, 8, 7, 5);
}

// Every second CPU is of the other socket.
static void sockets(void **)
{
	struct place p[8];

	for (int i = 0; i < 8; i++)
		p[i] = (struct place){i, false, i, i % 2};
	check(p, 8, 7, 5);
}

static void isolated_ones(void **)
{
	struct place p[6];

	for (int i = 0; i < 6; i++)
		p[i] = (struct place){i, i == 2 || i == 3, i, 0};
	check(p, 6, 3, 2);
	p[2].isolated = false;
	check(p, 6, 3, 5);
	// a core of its own is worth more than being isolated
	p[2] = (struct place){2, true, 3, 0};
	check(p, 6, 3, 5);
}

static void unknown_topology(void **)
{
	static const struct place p[] = {{0, false, -1, -1}, {1, false, -1, -1}};

	check(p, 2, 1, 0);
}

// Of this machine: what the process may use, and afterwards it is where it was.
static void finds(void **)
{
	struct place p[PLACES];
	cpu_set_t before, after, one;
	unsigned n = places_find(p);

	assert_true(n > 0);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET((unsigned)p[0].cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(places_find(p), 1);
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&one, &after));
	sched_setaffinity(0, sizeof(before), &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_cores),
		cmocka_unit_test(threads_of_cores),
		cmocka_unit_test(sockets),
		cmocka_unit_test(isolated_ones),
		cmocka_unit_test(unknown_topology),
		cmocka_unit_test(finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

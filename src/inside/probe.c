// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/probe.h"

#include "base/scope.h"
#include "inside/child.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SECONDS 5

struct number {
	int64_t (*fn)(const void *arg);
	const void *arg;
};

static void number_child(const void *arg, void *result)
{
	const struct number *n = arg;

	*(int64_t *)result = n->fn(n->arg);
}

int probe_in_child(int64_t (*fn)(const void *arg), const void *arg, int64_t *ret)
{
	struct number n = {fn, arg};

	return child_run(number_child, &n, ret, sizeof(*ret), SECONDS);
}

struct hugepages {
	uint64_t size, limit;
};

static bool can_reserve(uint64_t size, uint64_t pages)
{
	int flags =
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | __builtin_ctzll(size) << MAP_HUGE_SHIFT;
	uint64_t len;
	void *p;

	if (pages == 0)
		return true;
	if (__builtin_mul_overflow(size, pages, &len) || len > UINT64_C(1) << 46)
		return false;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (p == MAP_FAILED)
		return false;
	munmap(p, len);
	return true;
}

static int64_t hugepages_child(const void *arg)
{
	const struct hugepages *h = arg;
	uint64_t good = 0, bad = 1;

	while (bad <= h->limit && can_reserve(h->size, bad)) {
		good = bad;
		bad *= 2;
	}
	if (bad > h->limit)
		bad = h->limit + 1;
	while (bad - good > 1) {
		uint64_t middle = good + (bad - good) / 2;

		if (can_reserve(h->size, middle))
			good = middle;
		else
			bad = middle;
	}
	return (int64_t)good;
}

int64_t probe_hugepages(uint64_t size, uint64_t limit)
{
	struct hugepages h = {.size = size, .limit = limit};
	int64_t pages = -1;

	if (size == 0 || (size & (size - 1)) != 0)
		return -1;
	return probe_in_child(hugepages_child, &h, &pages) == 0 ? pages : -1;
}

int probe_cpus(struct idset *ret)
{
	struct idset can = {0};
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(10 * SECONDS);
		for (;;)
			pause();
	}
	if (pid < 0)
		return -errno;
	for (unsigned cpu = 0; cpu < IDSET_MAX; cpu++) {
		struct idset one = {0};

		idset_add(&one, cpu);
		if (sched_setaffinity(pid, sizeof(one.word), (const cpu_set_t *)one.word) == 0)
			idset_add(&can, cpu);
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*ret = can;
	return 0;
}

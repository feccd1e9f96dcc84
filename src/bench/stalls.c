// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/stalls.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "bench/need.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define NAP_US 1000

struct stalls {
	pthread_t thread;
	atomic_bool end;
	int64_t began_ns;
	double worst, stalled; // ms
	unsigned stalls;
	uint64_t stolen, all; // ticks of all CPUs at the begin
};

// Ticks of all CPUs since the boot: stolen by a hypervisor, and all there were.
static void ticks(uint64_t *stolen, uint64_t *all)
{
	_cleanup_free_ char *text = NULL;
	unsigned long long t[8] = {0};

	*stolen = *all = 0;
	if (fs_read_file("/proc/stat", 1 << 20, &text, NULL) < 0
	    || sscanf(text,
		      "cpu %llu %llu %llu %llu %llu %llu %llu %llu",
		      &t[0],
		      &t[1],
		      &t[2],
		      &t[3],
		      &t[4],
		      &t[5],
		      &t[6],
		      &t[7])
		       < 8)
		return;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		*all += t[i];
	*stolen = t[7];
}

static void *watching(void *arg)
{
	const struct sched_param first = {.sched_priority = 1};
	struct stalls *w = arg;
	// a stall may come before this thread's first turn
	int64_t before = w->began_ns;

	// before others who are ready: what is left are stalls of the machine, not turns of its scheduler
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
	do {
		double late;
		int64_t now;

		nap_us(NAP_US);
		now = clock_ns();
		late = (double)(now - before) / 1e6 - NAP_US / 1e3;
		before = now;
		if (late > w->worst)
			w->worst = late;
		if (late > STALL_MS) {
			w->stalls++;
			w->stalled += late;
		}
	} while (!atomic_load(&w->end));
	return NULL;
}

struct stalls *stalls_watch(bool thread)
{
	struct stalls *w = need(calloc(1, sizeof(*w)));

	w->began_ns = clock_ns();
	ticks(&w->stolen, &w->all);
	if (!thread || pthread_create(&w->thread, NULL, watching, w) != 0)
		atomic_store(&w->end, true);
	return w;
}

struct stalls_report stalls_end(struct stalls *w)
{
	struct stalls_report r = {0};
	uint64_t stolen, all;

	if (!atomic_load(&w->end)) {
		atomic_store(&w->end, true);
		pthread_join(w->thread, NULL);
	}
	ticks(&stolen, &all);
	r.seconds = (double)(clock_ns() - w->began_ns) / 1e9;
	r.stall_ms = w->worst;
	r.stalls = w->stalls;
	r.stalled = w->stalled / 1e3 / r.seconds;
	if (all > w->all)
		r.steal = (double)(stolen - w->stolen) / (double)(all - w->all);
	getloadavg(&r.load, 1);
	free(w);
	return r;
}

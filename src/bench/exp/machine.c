// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The machine is judged before anything is: what it cannot tell apart when the same is measured twice, it cannot tell
// apart when two are.

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/child.h"
#include "bench/need.h"
#include "bench/trial.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

#define WORK_PIECES 400 // of a speed measurement

// A fixed piece of arithmetic that no compiler can leave out, some 0.5 ms.
static uint64_t arithmetic(uint64_t x)
{
	for (unsigned i = 0; i < 250000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

// Seconds of so many pieces of it, in ms.
static double work(unsigned pieces)
{
	volatile uint64_t x = 88172645463325252u;
	int64_t began = clock_ns();

	for (unsigned i = 0; i < pieces; i++)
		x = arithmetic(x);
	return (double)(clock_ns() - began) / 1e6;
}

// On the CPU that everything is measured on; where this thread was before it is again afterwards.
static void pin(int cpu, cpu_set_t *before)
{
	cpu_set_t one;

	sched_getaffinity(0, sizeof(*before), before);
	CPU_ZERO(&one);
	CPU_SET((unsigned)cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static int twice(struct bench *b, void *arg, struct trial *t, struct err *err)
{
	const char *const argv[] = {b->pinfold, "--help", NULL};
	const struct child_how how = {.argv = argv, .cpu = 1 + b->cpu_vnf};
	cpu_set_t before;
	int64_t ns;

	(void)arg;
	// several, since one is over in a millisecond
	t->value[0] = 0;
	for (unsigned i = 0; i < 8; i++) {
		if (child_run(b, &how, 10000, 0, NULL, &ns, err) < 0)
			return -err->code;
		t->value[0] += (double)ns / 1e6 / 8;
	}
	pin(b->cpu_vnf, &before);
	t->value[1] = work(40);
	sched_setaffinity(0, sizeof(before), &before);
	return 0;
}

// How far apart two runs of the same may seem, in words a person can use.
static void tell(struct result *r, const struct row *ratio, const char *what)
{
	_cleanup_free_ char *name = need(str_printf("what can be told apart, %s", what));
	struct row *row = result_fact(r, name, NULL);
	double width = fmax(ratio->value.high - 1, 1 - ratio->value.low) * 100;

	row_alone(row);
	if (!isfinite(width))
		row_text(row, "too few trials to say");
	else
		row_text(row, "in %u rounds, differences above %.1f %%", ratio->value.n, width);
}

static int a_against_a(struct bench *b, struct result *r, struct err *err)
{
	static const struct environment sides[] = {{.name = "A"}, {.name = "A again"}};
	static const char *const names[] = {RESULT_AGAIN_START, RESULT_AGAIN_SPEED};
	struct series_report rep;
	struct series s = {
		.what = "machine",
		.side = {"the same program", "the same program again"},
		.nsides = 2,
		.rounds = bench_choose(b, 16, 40),
		.least = 6,
		.stall_ms = TRIAL_STALL_MS,
		.steal = TRIAL_STEAL,
		.run = twice,
	};
	int status;

	for (unsigned v = 0; v < ARRAY_LEN(names); v++) {
		for (unsigned i = 0; i < ARRAY_LEN(sides); i++) {
			s.row[i][v] = result_measured(r, names[v], &sides[i], "ms");
			s.row[i][v]->less = true;
		}
	}
	status = series_run(b, &s, &rep, err);
	for (unsigned v = 0; v < ARRAY_LEN(names); v++) {
		struct row *ratio = result_ratio(r, NULL, s.row[1][v], s.row[0][v]);

		// of nothing, whatever it is
		row_alone(ratio);
		tell(r, ratio, names[v]);
	}
	return status;
}

static int stalls(struct bench *b, struct result *r, struct err *err)
{
	unsigned seconds = bench_choose(b, 4, 30);
	struct row *worst = result_measured(r, "longest stall while idle", NULL, "ms");
	struct row *count = result_measured(r, "stalls above 4 ms", NULL, "per minute");
	struct row *steal = result_measured(r, "time stolen below", NULL, "%");

	worst->less = count->less = steal->less = true;
	// the longest of so many seconds, and what others took in them
	row_alone(worst);
	row_alone(count);
	row_alone(steal);
	for (unsigned i = 0; i < seconds; i++) {
		struct stalls_report w;
		struct stalls *watch;

		bench_say(b, "machine: looking for stalls, %u s of %u", i + 1, seconds);
		watch = stalls_watch(true);
		bench_pause(1000);
		w = stalls_end(watch);
		if (bench_check(err) < 0)
			return -err->code;
		row_sample(worst, w.stall_ms);
		row_sample(count, w.stalls * 60 / w.seconds);
		row_sample(steal, w.steal * 100);
	}
	return 0;
}

// A machine with several speeds (turbo, a neighbour on the other thread of the core) shows each in its turn.
static int speeds(struct bench *b, struct result *r, struct err *err)
{
	struct row *row = result_measured(r, "fixed arithmetic, piece by piece", NULL, "ms");
	double piece[WORK_PIECES], slow, fast, usual;
	struct row *fact;
	cpu_set_t before;

	bench_say(b, "machine: looking for several speeds");
	pin(b->cpu_vnf, &before);
	for (unsigned i = 0; i < WORK_PIECES; i++)
		piece[i] = work(2);
	sched_setaffinity(0, sizeof(before), &before);
	row->less = true;
	for (unsigned i = 0; i < WORK_PIECES; i += WORK_PIECES / 40)
		row_sample(row, piece[i]);
	fast = stats_percentile(piece, WORK_PIECES, 0.05);
	usual = stats_percentile(piece, WORK_PIECES, 0.5);
	slow = stats_percentile(piece, WORK_PIECES, 0.95);
	fact = result_fact(r, "speeds of the CPU", NULL);
	row_alone(fact);
	row_text(
		fact,
		"%s: of %d pieces the fastest 5 %% took %.2f of the median, the slowest 5 %% %.2f",
		slow / fast > 1.2 ? "several" : "one",
		WORK_PIECES,
		fast / usual,
		slow / usual
	);
	return bench_check(err);
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	if (stalls(b, r, err) < 0 || speeds(b, r, err) < 0)
		return -err->code;
	return a_against_a(b, r, err);
}

static const struct experiment machine = {
	.name = "machine",
	.figure = "",
	.title = "The machine",
	.about = "Judges the machine before anything else: the same program against itself, "
		 "stalls, stolen time and "
		 "speeds, and so what can be told apart here. Always run first.",
	.seconds = {10, 60, 10},
	.order = 0,
	.run = run,
};
EXPERIMENT(machine);

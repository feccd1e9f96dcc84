// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/trial.h"

#include "base/clock.h"
#include "base/scope.h"
#include "bench/bench.h"
#include "bench/need.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ATTEMPTS 3
// rounds one after the other in which a side may fail before it is left out
#define FAILURES 2

struct side {
	unsigned failed; // rounds one after the other
	unsigned valid;	 // trials
	bool out;
	char why[256];
};

static void because(struct trial *t, const char *fmt, va_list ap)
{
	if (t->invalid)
		return;
	t->invalid = true;
	vsnprintf(t->why, sizeof(t->why), fmt, ap);
}

void trial_invalid(struct trial *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	because(t, fmt, ap);
	va_end(ap);
}

void trial_final(struct trial *t, const char *fmt, ...)
{
	va_list ap;

	t->final = !t->invalid;
	va_start(ap, fmt);
	because(t, fmt, ap);
	va_end(ap);
}

static void check(const struct series *s, struct trial *t)
{
	if (s->stall_ms > 0 && t->seen.stall_ms > s->stall_ms)
		trial_invalid(
			t,
			"the machine stood still for %.1f ms (at most %.1f)",
			t->seen.stall_ms,
			s->stall_ms
		);
	if (s->steal > 0 && t->seen.steal > s->steal)
		trial_invalid(
			t,
			"%.1f %% of the CPUs' time was taken by the machine below (at most %.1f "
			"%%)",
			t->seen.steal * 100,
			s->steal * 100
		);
}

// One attempt. Fails only where it was cancelled.
static int attempt(struct bench *b, struct series *s, struct trial *t, struct err *err)
{
	static unsigned number;
	struct stalls *w;
	int r;

	for (unsigned i = 0; i < TRIAL_VALUES; i++)
		t->value[i] = NAN;
	t->invalid = t->final = false;
	t->number = ++number;
	w = stalls_watch(!s->polls);
	r = s->run(b, s->arg, t, err);
	t->seen = stalls_end(w);
	if (bench_cancelled())
		return bench_check(err);
	if (r < 0)
		trial_invalid(t, "%s", err->msg);
	check(s, t);
	return 0;
}

static void note(struct series *s, const struct trial *t, struct side *side)
{
	for (unsigned v = 0; v < TRIAL_VALUES; v++) {
		struct row *row = s->row[t->side][v];

		if (row == NULL)
			continue;
		// a place for each round, so that pairs stay pairs
		while (row->n < t->round)
			row_sample(row, NAN);
		row_sample(row, t->invalid ? NAN : t->value[v]);
		if (t->attempt == 0)
			continue;
		row->repeated += t->attempt;
		free(row->repeated_why);
		row->repeated_why = need(strdup(t->before));
	}
	side->failed = t->invalid ? side->failed + 1 : 0;
	side->valid += !t->invalid;
	if (t->invalid)
		snprintf(side->why, sizeof(side->why), "%s", t->why);
	side->out = side->failed >= FAILURES;
}

static int one(
	struct bench *b,
	struct series *s,
	unsigned round,
	unsigned at,
	struct side *side,
	struct series_report *rep,
	struct err *err
)
{
	struct trial t = {.side = at, .round = round};
	unsigned most = s->attempts > 0 ? s->attempts : ATTEMPTS;

	for (;; t.attempt++) {
		bench_say(
			b,
			"%s: %s, round %u of %u%s",
			s->what,
			s->side[at],
			round + 1,
			s->rounds,
			t.attempt > 0 ? ", once more" : ""
		);
		rep->trials++;
		if (attempt(b, s, &t, err) < 0)
			return -err->code;
		if (t.seen.stall_ms > rep->worst_stall_ms)
			rep->worst_stall_ms = t.seen.stall_ms;
		if (t.seen.steal > rep->steal)
			rep->steal = t.seen.steal;
		if (!t.invalid || t.final || t.attempt + 1 >= most)
			break;
		rep->repeated++;
		memcpy(t.before, t.why, sizeof(t.before));
	}
	rep->invalid += t.invalid;
	note(s, &t, side);
	return 0;
}

// A side without one valid trial says why.
static void explain(struct series *s, const struct side *sides)
{
	for (unsigned at = 0; at < s->nsides; at++) {
		for (unsigned v = 0; v < TRIAL_VALUES; v++) {
			struct row *row = s->row[at][v];
			bool any = false;

			if (row == NULL)
				continue;
			for (unsigned i = 0; i < row->n; i++)
				any |= isfinite(row->samples[i]);
			// of one that was valid and has no such value that is not the reason
			if (!any && sides[at].valid == 0 && sides[at].why[0] != '\0')
				row_invalid(row, "%s", sides[at].why);
		}
	}
}

static void tell(struct bench *b, const struct series *s, const struct series_report *rep)
{
	struct bench_seen *seen = &b->seen;

	seen->trials += rep->trials;
	seen->repeated += rep->repeated;
	seen->invalid += rep->invalid;
	seen->stalls |= !s->polls;
	seen->stall_ms = fmax(seen->stall_ms, rep->worst_stall_ms);
	seen->steal = fmax(seen->steal, rep->steal);
}

int series_run(struct bench *b, struct series *s, struct series_report *ret, struct err *err)
{
	struct side sides[TRIAL_SIDES] = {0};
	struct series_report rep = {0};
	int r = 0;

	for (unsigned round = 0; round < s->rounds && r == 0; round++) {
		if (round >= s->least && b->until_ms > 0 && clock_ms() > b->until_ms)
			break;
		rep.rounds++;
		for (unsigned i = 0; i < s->nsides && r == 0; i++) {
			unsigned at = round % 2 == 0 ? i : s->nsides - 1 - i;

			r = bench_check(err);
			if (r == 0 && !sides[at].out)
				r = one(b, s, round, at, &sides[at], &rep, err);
		}
	}
	explain(s, sides);
	tell(b, s, &rep);
	*ret = rep;
	return r;
}

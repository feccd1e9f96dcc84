// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/sides.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <math.h>
#include <string.h>

// What a packet usually costs the tester; NAN: too little was seen.
static double usual(const struct compare *c)
{
	unsigned n = c->nlast < COMPARE_LAST ? c->nlast : COMPARE_LAST;

	return n < STATS_PAIRS_MIN ? (double)NAN : stats_percentile(c->last, n, 0.5);
}

// What a side has of this round does not count.
static void drop(struct compare *c, unsigned side)
{
	for (unsigned v = 0; v < c->nvalues; v++) {
		struct row *row = c->row[c->place[side]][v];

		if (row != NULL && row->n > c->round)
			row->samples[c->round] = NAN;
	}
	c->of[side] = 0;
}

static void odd(struct trial *t, double cycles, double other, const char *what)
{
	trial_invalid(
		t,
		"the machine had another speed: a packet cost the tester %.0f cycles, and %.0f %s",
		cycles,
		other,
		what
	);
}

void compare_tester(struct compare *c, struct trial *t, const struct window *w)
{
	double cycles = window_tester_cycles(w), before;

	c->last[c->nlast++ % COMPARE_LAST] = cycles;
	before = usual(c);
	if (c->round != t->round)
		memset(c->of, 0, sizeof(c->of));
	c->round = t->round;
	if (isfinite(before) && !window_alike(before, cycles)) {
		odd(t, cycles, before, "in most windows before");
		return;
	}
	for (unsigned i = 0; i < TRIAL_SIDES; i++) {
		// a trial that is made again is compared with another side, not with itself
		if (i == t->side || c->of[i] == 0 || window_alike(c->of[i], cycles))
			continue;
		if (!isfinite(before)
		    || fabs(log(cycles / before)) > fabs(log(c->of[i] / before))) {
			odd(t, cycles, c->of[i], "on a side before");
			return;
		}
		drop(c, i);
	}
	c->of[t->side] = cycles;
}

static int trial(struct bench *b, void *arg, struct trial *t, struct err *err)
{
	struct compare *c = arg;
	const struct compare_side *side = &c->side[c->place[t->side]];
	const struct rig_how how = {
		.env = side->env,
		.function = c->function,
		.size = c->size,
		.link = side->link,
		.number = t->number,
		.wrap = side->wrap,
		.cpu = c->cpu,
	};
	_cleanup_rig_ struct rig rig = RIG_INIT;

	if (rig_start(b, &how, &rig, err) < 0)
		return -err->code;
	return c->measure(c, &rig, t, err);
}

static struct row *make_row(
	struct result *r, const struct compare *c, unsigned side, unsigned value
)
{
	const struct environment *env = c->side[side].env;
	_cleanup_free_ char *name = need(str_printf("%s: %s", c->what, c->value[value].name));
	struct row *row;

	if (!env->present) {
		result_missing(r, name, env, "%s", env->why);
		return NULL;
	}
	row = result_measured(r, name, env, c->value[value].unit);
	row->less = c->value[value].less;
	return row;
}

int compare_run(struct bench *b, struct result *r, struct compare *c, struct err *err)
{
	struct series s = {
		.what = c->what,
		.rounds = c->rounds,
		.least = 1,
		.polls = true,
		.steal = TRIAL_STEAL,
		.run = trial,
		.arg = c,
	};
	int done = 0;

	// value by value, as a person compares them
	for (unsigned v = 0; v < c->nvalues; v++) {
		for (unsigned i = 0; i < c->nsides; i++)
			c->row[i][v] = make_row(r, c, i, v);
	}
	for (unsigned i = 0; i < c->nsides; i++) {
		if (!c->side[i].env->present)
			continue;
		c->place[s.nsides] = i;
		memcpy(s.row[s.nsides], c->row[i], sizeof(c->row[i]));
		s.side[s.nsides++] = c->side[i].env->name;
	}
	if (s.nsides > 0)
		done = series_run(b, &s, &c->report, err);
	for (unsigned v = 0; v < c->nvalues; v++) {
		for (unsigned i = 1; i < c->nsides && c->value[v].ratio; i++) {
			if (c->row[0][v] != NULL && c->row[i][v] != NULL)
				c->ratio[i][v] = result_ratio(r, NULL, c->row[i][v], c->row[0][v]);
		}
	}
	return done;
}

bool compare_tiny(void)
{
	return getenv(COMPARE_TINY) != NULL;
}

unsigned compare_rounds(const struct bench *b, unsigned quick, unsigned full)
{
	return compare_tiny() ? 2 : bench_choose(b, quick, full);
}

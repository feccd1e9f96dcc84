// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/search.h"

#include <math.h>

#define NEAR 1e-9 // loads that are closer are one

enum bound {
	UNDECIDED,
	LOWER,
	UPPER
};

// A phase of the search for a goal: all but the last are there to find where the last has to look.
struct phase {
	double seconds; // of its trials
	double sum;	// of them at a load
	double width;
	bool last;
};

static bool same(double a, double b)
{
	return fabs(a - b) <= NEAR * fmax(a, b);
}

void search_begin(struct search *s)
{
	s->n = 0;
	s->seconds = 0;
	s->phases = 1;
	for (double d = s->first; d < s->final * 0.75 && s->phases < SEARCH_PHASES; d *= 2)
		s->phases++;
	for (unsigned i = 0; i < s->ngoals; i++) {
		s->state[i].phase = 0;
		s->state[i].lower = s->state[i].upper = 0;
		s->state[i].step = 0;
	}
}

// Trials grow from `first` to `final`; the interval is twice as wide in each earlier phase.
static struct phase phase_of(const struct search *s, unsigned goal, unsigned number)
{
	const struct search_goal *g = &s->goal[goal];
	unsigned left = s->phases - 1 - number;
	double grow = s->phases > 1 ? pow(s->final / s->first, 1.0 / (s->phases - 1)) : 1;
	double seconds = s->final / pow(grow, left);

	return (struct phase){
		.seconds = seconds,
		.sum = left == 0 ? fmax(g->sum, s->final) : seconds,
		.width = g->width * pow(2, left),
		.last = left == 0,
	};
}

// Seconds of trials at a load, by their length and by whether too much was lost.
struct sums {
	double low, high, short_low, short_high;
};

static struct sums sum_up(const struct search *s, double load, double seconds, double loss)
{
	struct sums t = {0};

	for (unsigned i = 0; i < s->n; i++) {
		const struct search_trial *r = &s->trial[i];
		bool high = r->loss > loss, full = r->seconds >= seconds * (1 - NEAR);
		double *sum = full   ? (high ? &t.high : &t.low)
			      : high ? &t.short_high
				     : &t.short_low;

		if (same(r->load, load))
			*sum += r->seconds;
	}
	return t;
}

// RFC 9971, appendix A: what the load would be if all further trials went badly, and if all went well.
static enum bound classify(
	const struct search *s, const struct search_goal *g, const struct phase *p, double load
)
{
	struct sums t = sum_up(s, load, p->seconds, g->loss);
	double balance = t.short_low * g->exceed / (1 - g->exceed);
	// short trials cannot show that a load is fine, but they can show that it is not
	double high = t.high + fmax(0, t.short_high - balance);
	double whole = fmax(p->sum, high + t.low), most = whole * g->exceed * (1 + NEAR);

	if (whole - t.low <= most)
		return LOWER;
	return high <= most ? UNDECIDED : UPPER;
}

// The relevant bounds (RFC 9971, 4.8): the lowest upper one, and the highest lower one below that. 0: none.
static void find_bounds(
	const struct search *s,
	const struct search_goal *g,
	const struct phase *p,
	double *ret_lower,
	double *ret_upper
)
{
	double lower = 0, upper = 0;

	for (unsigned i = 0; i < s->n; i++) {
		double load = s->trial[i].load;

		if ((upper == 0 || load < upper) && classify(s, g, p, load) == UPPER)
			upper = load;
	}
	for (unsigned i = 0; i < s->n; i++) {
		double load = s->trial[i].load;

		if (load > lower && (upper == 0 || load < upper)
		    && classify(s, g, p, load) == LOWER)
			lower = load;
	}
	*ret_lower = lower;
	*ret_upper = upper;
}

// A load between the bounds about which this phase has begun to ask. 0: none.
static double pending(
	const struct search *s,
	const struct search_goal *g,
	const struct phase *p,
	double lower,
	double upper
)
{
	for (unsigned i = s->n; i-- > 0;) {
		const struct search_trial *r = &s->trial[i];

		if (r->seconds >= p->seconds * (1 - NEAR) && r->load > lower
		    && (upper == 0 || r->load < upper) && classify(s, g, p, r->load) == UNDECIDED)
			return r->load;
	}
	return 0;
}

// Of all trials at a load, what came through, as a share.
static double forwarded(const struct search *s, double load)
{
	double seconds = 0, received = 0;

	for (unsigned i = 0; i < s->n; i++) {
		if (same(s->trial[i].load, load)) {
			seconds += s->trial[i].seconds;
			received += s->trial[i].seconds * (1 - s->trial[i].loss);
		}
	}
	return seconds > 0 ? received / seconds : 1;
}

// Below an upper bound: where the phase before found its lower one; else, of a device that forwards what it can and
// loses the rest, just below what it forwarded; then further down, twice as far each time.
static double go_down(struct search *s, unsigned i, const struct phase *p, double upper)
{
	double load = s->state[i].lower, guess;

	if (load > 0 && load < upper * (1 - NEAR) && sum_up(s, load, p->seconds, 0).low == 0
	    && sum_up(s, load, p->seconds, 0).high == 0)
		return load;
	guess = upper * forwarded(s, upper) / (1 - s->goal[i].loss) * (1 - p->width / 2);
	if (s->state[i].step == 0 && guess < upper * (1 - p->width / 2)) {
		s->state[i].step = p->width;
		return guess;
	}
	s->state[i].step = fmin(fmax(s->state[i].step * 2, p->width), 0.5);
	return upper * (1 - s->state[i].step);
}

static double go_up(struct search *s, unsigned i, const struct phase *p, double lower)
{
	double load = s->state[i].upper;

	if (load > lower * (1 + NEAR) && classify(s, &s->goal[i], p, load) == UNDECIDED)
		return load;
	s->state[i].step = fmin(fmax(s->state[i].step * 2, p->width), 0.5);
	return lower / (1 - s->state[i].step);
}

// The load that the goal wants to know about in this phase; 0: the phase is done.
static double wanted(struct search *s, unsigned i, const struct phase *p)
{
	double lower, upper, load;

	find_bounds(s, &s->goal[i], p, &lower, &upper);
	load = pending(s, &s->goal[i], p, lower, upper);
	if (load > 0)
		return load;
	if ((upper == 0 && lower >= s->max * (1 - NEAR))
	    || (upper > 0 && upper <= s->min * (1 + NEAR)))
		return 0;
	if (lower == 0 && upper == 0)
		return s->state[i].lower > 0   ? s->state[i].lower
		       : s->state[i].upper > 0 ? s->state[i].upper
					       : s->max;
	if (upper == 0)
		return fmin(go_up(s, i, p, lower), s->max);
	if (lower == 0)
		return fmax(go_down(s, i, p, upper), s->min);
	if (upper - lower <= p->width * upper * (1 + NEAR))
		return 0;
	return (lower + upper) / 2;
}

bool search_next(struct search *s, double *ret_load, double *ret_seconds)
{
	if (s->n == SEARCH_TRIALS || (s->limit > 0 && s->seconds >= s->limit))
		return false;
	for (unsigned number = 0; number < s->phases; number++) {
		for (unsigned i = 0; i < s->ngoals; i++) {
			struct phase p = phase_of(s, i, number);
			double load;

			if (s->state[i].phase > number)
				continue;
			load = wanted(s, i, &p);
			if (load > 0) {
				*ret_load = load;
				*ret_seconds = p.seconds;
				return true;
			}
			find_bounds(s, &s->goal[i], &p, &s->state[i].lower, &s->state[i].upper);
			s->state[i].phase = number + 1;
			s->state[i].step = 0;
		}
	}
	return false;
}

void search_add(struct search *s, double load, double seconds, double loss, double through)
{
	if (s->n == SEARCH_TRIALS)
		return;
	s->trial[s->n++] = (struct search_trial){load, seconds, loss, through};
	s->seconds += seconds;
}

// The share that came through in the trials at a load, at least, but for the share of their time in which more may be
// lost. Where the sum was not reached, the missing time counts as lost.
static double quantile_through(
	const struct search *s, const struct search_goal *g, const struct phase *p, double load
)
{
	struct search_trial of[SEARCH_TRIALS];
	double whole = 0, left;
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct search_trial *r = &s->trial[i];
		unsigned at;

		if (!same(r->load, load) || r->seconds < p->seconds * (1 - NEAR))
			continue;
		for (at = n++; at > 0 && of[at - 1].through < r->through; at--)
			of[at] = of[at - 1];
		of[at] = *r;
		whole += r->seconds;
	}
	left = fmax(whole, p->sum) * (1 - g->exceed) * (1 - NEAR);
	for (unsigned i = 0; i < n; i++) {
		left -= of[i].seconds;
		if (left <= 0)
			return of[i].through;
	}
	return n > 0 ? of[n - 1].through : 0;
}

struct search_result search_result(const struct search *s, unsigned goal)
{
	struct phase p = phase_of(s, goal, s->phases - 1);
	const struct search_goal *g = &s->goal[goal];
	struct search_result r = {.end = SEARCH_UNFINISHED, .trials = s->n};
	unsigned number = s->phases;

	// the last phase that has a lower bound
	do {
		p = phase_of(s, goal, --number);
		find_bounds(s, g, &p, &r.lower, &r.upper);
	} while (r.lower == 0 && r.upper == 0 && number > 0);
	if (s->state[goal].phase == s->phases) {
		r.end = r.lower == 0 ? SEARCH_MIN : r.upper == 0 ? SEARCH_MAX : SEARCH_FOUND;
	}
	r.throughput = r.lower > 0 ? r.lower * quantile_through(s, g, &p, r.lower) : 0;
	if (r.upper == 0)
		r.upper = NAN;
	return r;
}

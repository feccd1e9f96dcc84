// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "bench/verdict.h"

#include <math.h>

#define near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

// Pseudo-random, the same in every run (xorshift).
static double uniform(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (double)(*state >> 11) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
	return sqrt(-2 * log(1 - uniform(state))) * cos(2 * M_PI * uniform(state));
}

static void quantiles_of_t(void **)
{
	near(stats_t95(1), 12.706, 1e-9);
	near(stats_t95(4), 2.776, 1e-9);
	near(stats_t95(4.9), 2.776, 1e-9);
	near(stats_t95(40), 2.021, 0.001);
	near(stats_t95(1000), 1.962, 0.001);
}

static void percentiles(void **)
{
	const double v[] = {5, NAN, 1, 3, 2, 4};

	near(stats_percentile(v, 6, 0), 1, 0);
	near(stats_percentile(v, 6, 0.5), 3, 0);
	near(stats_percentile(v, 6, 1), 5, 0);
	near(stats_percentile(v, 6, 0.9), 4.6, 1e-9);
	assert_true(isnan(stats_percentile(v, 0, 0.5)));
}

// Ranks from tables of the binomial distribution.
static void median_by_order(void **)
{
	const double v[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
	struct interval r = stats_median(v, 10);

	near(r.mid, 5.5, 0);
	near(r.low, 2, 0);
	near(r.high, 9, 0);
	r = stats_median(v, 6);
	near(r.low, 1, 0);
	near(r.high, 6, 0);
}

static void median_of_few(void **)
{
	const double v[] = {10, 11, 30};
	struct interval r = stats_median(v, 3);

	near(r.mid, 11, 0);
	assert_true(r.low <= 11 && r.high >= 30);
	assert_true(r.low >= 0);
	r = stats_median(v, 1);
	near(r.mid, 10, 0);
	assert_true(isnan(r.low) && isnan(r.high));
	r = stats_median(v, 0);
	assert_true(isnan(r.mid));
}

// The interval of the median holds it as often as it says, also of what is far from normal.
static void median_is_covered(void **)
{
	uint64_t state = 88172645463325252u;

	for (unsigned n = 6; n <= 30; n += 8) {
		unsigned held = 0;

		for (unsigned i = 0; i < 2000; i++) {
			double v[30];
			struct interval r;

			for (unsigned k = 0; k < n; k++)
				v[k] = exp(1.5 * normal(&state));
			r = stats_median(v, n);
			held += r.low <= 1 && r.high >= 1;
		}
		assert_true(held >= 2000 * 0.94);
	}
}

static void verdicts(void **)
{
	const struct {
		double low, high;
		enum verdict verdict;
	} cases[] = {
		{0.98, 1.02, VERDICT_SAME},
		{1.001, 1.02, VERDICT_SAME},
		{1.001, 1.04, VERDICT_DIFFERENT},
		{0.5, 0.99, VERDICT_DIFFERENT},
		{0.96, 1.02, VERDICT_INCONCLUSIVE},
		{NAN, NAN, VERDICT_INCONCLUSIVE},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct interval r = {.mid = 1, .low = cases[i].low, .high = cases[i].high};

		assert_int_equal(stats_verdict(&r), cases[i].verdict);
	}
}

static void pairs_drop_what_was_not_measured(void **)
{
	const double a[] = {2, NAN, 4, 6, 8}, b[] = {1, 5, 2, 3, NAN};
	struct comparison c = stats_pairs(a, b, 5);

	assert_int_equal(c.ratio.n, 3);
	near(c.ratio.mid, 2, 1e-12);
	near(c.ratio.low, 2, 1e-12);
	near(c.difference.mid, cbrt(6), 1e-9);
	assert_int_equal(c.verdict, VERDICT_DIFFERENT);
	c = stats_pairs(a, b, 2);
	assert_int_equal(c.verdict, VERDICT_INCONCLUSIVE);
	c = stats_pairs(a + 1, b + 1, 1);
	assert_int_equal(c.verdict, VERDICT_NONE);
}

// Pairs as machines give them: noise of each, a drift that both have, and a disturbed trial now and then.
static struct comparison simulated(uint64_t *state, unsigned n, double noise, double truth)
{
	double a[40], b[40];

	for (unsigned i = 0; i < n; i++) {
		double drift = exp(0.3 * sin(i * 0.4));

		a[i] = truth * 100 * drift * exp(noise * normal(state));
		b[i] = 100 * drift * exp(noise * normal(state));
		if (uniform(state) < 0.05)
			a[i] *= 1 + uniform(state);
		if (uniform(state) < 0.05)
			b[i] *= 1 + uniform(state);
	}
	return stats_pairs(a, b, n);
}

// A against A: no more often called different than the stated 5 %; and a real difference is seen.
static void equals_are_not_called_different(void **)
{
	uint64_t state = 2463534242u;
	static const unsigned sizes[] = {3, 5, 10, 20, 40};

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		unsigned different = 0, found = 0;

		for (unsigned i = 0; i < 2000; i++) {
			struct comparison c = simulated(&state, sizes[s], 0.05, 1);

			different += c.verdict == VERDICT_DIFFERENT;
			// the two never contradict each other
			assert_int_equal(c.ratio.low > 1, c.difference.low > 0);
			assert_int_equal(c.ratio.high < 1, c.difference.high < 0);
			found +=
				simulated(&state, sizes[s], 0.02, 1.5).verdict == VERDICT_DIFFERENT;
		}
		// 5 % of 2000, and what chance adds to that with 99.9 %
		assert_true(different <= 100 + 31);
		if (sizes[s] >= 10)
			assert_true(found >= 1900);
	}
}

static void apart(void **)
{
	const double a[] = {2, 2.02, 1.98, 2.01}, b[] = {1, 1.01, 0.99}, same[] = {7, 7, 7};
	struct comparison c = stats_apart(a, 4, b, 3, 0);

	near(c.ratio.mid, 2, 0.02);
	assert_true(c.ratio.low > 1.9 && c.ratio.high < 2.1);
	near(c.difference.mid, 1, 0.02);
	assert_int_equal(c.verdict, VERDICT_DIFFERENT);
	c = stats_apart(same, 3, same, 3, 0);
	near(c.ratio.mid, 1, 0);
	near(c.ratio.low, 1, 0);
	assert_int_equal(c.verdict, VERDICT_SAME);
	c = stats_apart(a, 1, b, 3, 0);
	assert_true(isnan(c.ratio.low));
	assert_int_equal(c.verdict, VERDICT_INCONCLUSIVE);
	c = stats_apart(a, 0, b, 3, 0);
	assert_true(isnan(c.ratio.mid));
	assert_int_equal(c.verdict, VERDICT_NONE);
	// two runs that lie apart: 10 % of each
	c = stats_apart(same, 3, same, 3, 0.1);
	near(c.ratio.high, exp(0.1 * M_SQRT2), 1e-9);
	assert_int_equal(c.verdict, VERDICT_INCONCLUSIVE);
}

// What was nothing and is something is more, though it is no multiple of it.
static void from_nothing(void **)
{
	const double none[] = {0, 0, 0, 0}, some[] = {3, 3.1, 2.9, 3}, one[] = {0, 0, 0, 1};
	struct comparison c = stats_apart(some, 4, none, 4, 0.1);

	assert_true(isnan(c.ratio.mid));
	assert_int_equal(c.verdict, VERDICT_DIFFERENT);
	assert_true(c.difference.low > 2);
	assert_int_equal(stats_apart(none, 4, some, 4, 0.1).verdict, VERDICT_DIFFERENT);
	assert_int_equal(stats_apart(none, 4, none, 4, 0.1).verdict, VERDICT_SAME);
	assert_int_equal(stats_apart(one, 4, none, 4, 0.1).verdict, VERDICT_INCONCLUSIVE);
	// without the pairs that have a 0 in them the rest would be twice as much
	c = stats_pairs((const double[]){2, 2, 2, 0}, (const double[]){1, 1, 1, 5}, 4);
	assert_true(isnan(c.ratio.mid));
	assert_int_equal(c.verdict, VERDICT_NONE);
}

static void widens(void **)
{
	struct interval v = stats_widen((struct interval){100, 97, 104, 6}, 0.04);

	near(v.low, 95, 1e-9);
	near(v.high, 100 + 4 * M_SQRT2, 1e-9);
	v = stats_widen((struct interval){100, NAN, NAN, 2}, 0.1);
	assert_true(isnan(v.low) && isnan(v.high));
	assert_true(stats_widen((struct interval){1, 0, 4, 6}, 0.1).low == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_of_t),
		cmocka_unit_test(percentiles),
		cmocka_unit_test(median_by_order),
		cmocka_unit_test(median_of_few),
		cmocka_unit_test(median_is_covered),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(pairs_drop_what_was_not_measured),
		cmocka_unit_test(equals_are_not_called_different),
		cmocka_unit_test(apart),
		cmocka_unit_test(from_nothing),
		cmocka_unit_test(widens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

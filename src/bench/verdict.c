// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/verdict.h"

#include "base/scope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *verdict_name(enum verdict v)
{
	static const char *const names[VERDICT_END] = {
		[VERDICT_NONE] = "",
		[VERDICT_SAME] = "no difference",
		[VERDICT_DIFFERENT] = "different",
		[VERDICT_INCONCLUSIVE] = "inconclusive",
	};

	return names[v];
}

double stats_t95(double degrees)
{
	static const double table[] = {
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
		2.201,	2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
		2.080,	2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	};
	const double z = 1.959964;

	// Welch's degrees are no whole number: the next lower one is on the safe side
	if (degrees < 1)
		return table[0];
	if (degrees < (double)ARRAY_LEN(table) + 1)
		return table[(unsigned)degrees - 1];
	// Cornish-Fisher expansion around the normal quantile; exact to 0.001 from here on
	return z + (pow(z, 3) + z) / (4 * degrees)
	       + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * degrees * degrees);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

// Those that were measured, in order. To be freed; never NULL but when memory is out.
static double *sorted(const double *v, unsigned n, unsigned *ret_n)
{
	double *s = calloc(n + 1, sizeof(*s));
	unsigned k = 0;

	for (unsigned i = 0; s != NULL && i < n; i++) {
		if (isfinite(v[i]))
			s[k++] = v[i];
	}
	if (s != NULL)
		qsort(s, k, sizeof(*s), ascending);
	*ret_n = k;
	return s;
}

static double part_of(const double *s, unsigned n, double part)
{
	double at = part * (n - 1);
	unsigned low = (unsigned)at, high = low + 1 < n ? low + 1 : low;

	return s[low] + (s[high] - s[low]) * (at - low);
}

double stats_percentile(const double *v, unsigned n, double part)
{
	_cleanup_free_ double *s = sorted(v, n, &n);

	return s == NULL || n == 0 ? NAN : part_of(s, n, part);
}

struct moments {
	unsigned n;
	double mean, variance; // the variance of a sample: NAN of fewer than two
};

static struct moments moments_of(const double *v, unsigned n)
{
	struct moments m = {0};
	double squares = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!isfinite(v[i]))
			continue;
		m.n++;
		m.mean += v[i];
	}
	m.mean /= m.n;
	for (unsigned i = 0; i < n; i++) {
		if (isfinite(v[i]))
			squares += (v[i] - m.mean) * (v[i] - m.mean);
	}
	m.variance = m.n > 1 ? squares / (m.n - 1) : NAN;
	return m;
}

// How many values from either end lie outside of the median's interval: the most for which at least 95 % is left.
static unsigned outside(unsigned n)
{
	double term = pow(0.5, n), sum = 0;
	unsigned k = 0;

	// n is small enough for 2^-n: trials are counted in tens
	while (k < n / 2 && sum + term <= 0.025) {
		sum += term;
		k++;
		term *= (double)(n - k + 1) / k;
	}
	return k;
}

struct interval stats_median(const double *v, unsigned n)
{
	_cleanup_free_ double *s = sorted(v, n, &n);
	struct interval r = {.mid = NAN, .low = NAN, .high = NAN, .n = n};
	unsigned k;

	if (s == NULL || n == 0)
		return r;
	r.mid = part_of(s, n, 0.5);
	// of two the interval is thirteen times as wide as they lie apart: it says nothing
	if (n < STATS_PAIRS_MIN)
		return r;
	k = n < 1000 ? outside(n) : n / 2 - (unsigned)(0.98 * sqrt(n));
	if (k > 0) {
		r.low = s[k - 1];
		r.high = s[n - k];
	} else {
		struct moments m = moments_of(s, n);
		double half = stats_t95(n - 1) * sqrt(m.variance / n);

		r.low = fmin(r.mid, m.mean - half);
		r.high = fmax(r.mid, m.mean + half);
		// where all are positive, so is what they are of
		if (s[0] >= 0)
			r.low = fmax(r.low, 0);
	}
	return r;
}

static struct interval ratio_of(double mean, double half, unsigned n)
{
	return (struct interval){
		.mid = exp(mean),
		.low = exp(mean - half),
		.high = exp(mean + half),
		.n = n,
	};
}

static double log_of(double v)
{
	return v > 0 ? log(v) : NAN;
}

enum verdict stats_verdict(const struct interval *ratio)
{
	if (!isfinite(ratio->mid))
		return VERDICT_NONE;
	if (!isfinite(ratio->low) || !isfinite(ratio->high))
		return VERDICT_INCONCLUSIVE;
	if (ratio->low >= 1 - STATS_SAME && ratio->high <= 1 + STATS_SAME)
		return VERDICT_SAME;
	return ratio->low > 1 || ratio->high < 1 ? VERDICT_DIFFERENT : VERDICT_INCONCLUSIVE;
}

// The interval of the ratio in the unit of what it is a ratio to.
static struct interval times(const struct interval *ratio, double base)
{
	return (struct interval){
		.mid = (ratio->mid - 1) * base,
		.low = (ratio->low - 1) * base,
		.high = (ratio->high - 1) * base,
		.n = ratio->n,
	};
}

static struct comparison unknown(void)
{
	const struct interval none = {.mid = NAN, .low = NAN, .high = NAN};

	return (struct comparison){.ratio = none, .difference = none};
}

struct comparison stats_pairs(const double *a, const double *b, unsigned n)
{
	_cleanup_free_ double *logs = calloc(n + 1, sizeof(*logs));
	struct comparison c = unknown();
	double base = 0;
	struct moments m;

	if (logs == NULL)
		return c;
	for (unsigned i = 0; i < n; i++) {
		logs[i] = log_of(a[i]) - log_of(b[i]);
		if (isfinite(logs[i]))
			base += log(b[i]);
		else if (isfinite(a[i]) && isfinite(b[i]))
			return c;
	}
	m = moments_of(logs, n);
	if (m.n == 0)
		return c;
	c.ratio = ratio_of(
		m.mean,
		m.n >= STATS_PAIRS_MIN ? stats_t95(m.n - 1) * sqrt(m.variance / m.n) : NAN,
		m.n
	);
	c.difference = times(&c.ratio, exp(base / m.n));
	c.verdict = stats_verdict(&c.ratio);
	return c;
}

static struct moments log_moments(const double *v, unsigned n)
{
	_cleanup_free_ double *logs = calloc(n + 1, sizeof(*logs));

	if (logs == NULL)
		return (struct moments){.mean = NAN, .variance = NAN};
	for (unsigned i = 0; i < n; i++)
		logs[i] = log_of(v[i]);
	return moments_of(logs, n);
}

// Half of the interval of the difference of two means, by Welch.
static double welch(const struct moments *x, const struct moments *y)
{
	double sx = x->variance / x->n, sy = y->variance / y->n, degrees;

	if (x->n < STATS_PAIRS_MIN || y->n < STATS_PAIRS_MIN)
		return NAN;
	if (sx + sy <= 0)
		return 0;
	degrees = (sx + sy) * (sx + sy) / (sx * sx / (x->n - 1) + sy * sy / (y->n - 1));
	return stats_t95(degrees) * sqrt(sx + sy);
}

static bool all_positive(const double *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (isfinite(v[i]) && v[i] <= 0)
			return false;
	}
	return true;
}

static enum verdict verdict_of_difference(const struct interval *d, double base)
{
	double same = STATS_SAME * fabs(base);

	if (!isfinite(d->low))
		return VERDICT_INCONCLUSIVE;
	if (d->low >= -same && d->high <= same)
		return VERDICT_SAME;
	return d->low > 0 || d->high < 0 ? VERDICT_DIFFERENT : VERDICT_INCONCLUSIVE;
}

static struct comparison with_zero(const struct moments *x, const struct moments *y, double between)
{
	double half = hypot(welch(x, y), between * hypot(x->mean, y->mean));
	double mid = x->mean - y->mean;
	struct comparison c = unknown();

	c.difference = (struct interval){
		.mid = mid, .low = mid - half, .high = mid + half, .n = x->n < y->n ? x->n : y->n};
	c.verdict = verdict_of_difference(&c.difference, y->mean);
	return c;
}

struct comparison stats_apart(
	const double *a, unsigned na, const double *b, unsigned nb, double between
)
{
	struct moments x = log_moments(a, na), y = log_moments(b, nb);
	struct comparison c = unknown();

	if (!all_positive(a, na) || !all_positive(b, nb)) {
		x = moments_of(a, na);
		y = moments_of(b, nb);
		return x.n > 0 && y.n > 0 ? with_zero(&x, &y, between) : c;
	}
	if (x.n == 0 || y.n == 0)
		return c;
	c.ratio = ratio_of(
		x.mean - y.mean, hypot(welch(&x, &y), between * M_SQRT2), x.n < y.n ? x.n : y.n
	);
	c.difference = times(&c.ratio, exp(y.mean));
	c.verdict = stats_verdict(&c.ratio);
	return c;
}

struct interval stats_widen(struct interval v, double between)
{
	double by = between * fabs(v.mid), low = v.mid - hypot(v.mid - v.low, by);

	// what no sample is below 0 of is not below it in another run
	v.low = v.low >= 0 ? fmax(low, 0) : low;
	v.high = v.mid + hypot(v.high - v.mid, by);
	return v;
}

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

struct comparison stats_pairs(const double *a, const double *b, unsigned n)
{
	_cleanup_free_ double *logs = calloc(n + 1, sizeof(*logs));
	struct comparison c = {0};
	double base = 0;
	struct moments m;

	c.ratio = c.difference = (struct interval){.mid = NAN, .low = NAN, .high = NAN};
	if (logs == NULL)
		return c;
	for (unsigned i = 0; i < n; i++) {
		logs[i] = log_of(a[i]) - log_of(b[i]);
		if (isfinite(logs[i]))
			base += log(b[i]);
	}
	m = moments_of(logs, n);
	if (m.n == 0)
		return c;
	base = exp(base / m.n);
	c.ratio = ratio_of(
		m.mean,
		m.n >= STATS_PAIRS_MIN ? stats_t95(m.n - 1) * sqrt(m.variance / m.n) : NAN,
		m.n
	);
	c.difference = (struct interval){
		.mid = (c.ratio.mid - 1) * base,
		.low = (c.ratio.low - 1) * base,
		.high = (c.ratio.high - 1) * base,
		.n = m.n,
	};
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

struct interval stats_apart(const double *a, unsigned na, const double *b, unsigned nb)
{
	struct moments x = log_moments(a, na), y = log_moments(b, nb);
	double sx = x.variance / x.n, sy = y.variance / y.n, degrees;
	unsigned n = x.n < y.n ? x.n : y.n;

	if (x.n == 0 || y.n == 0)
		return (struct interval){.mid = NAN, .low = NAN, .high = NAN};
	if (n < STATS_PAIRS_MIN)
		return ratio_of(x.mean - y.mean, NAN, n);
	if (sx + sy <= 0)
		return ratio_of(x.mean - y.mean, 0, n);
	degrees = (sx + sy) * (sx + sy) / (sx * sx / (x.n - 1) + sy * sy / (y.n - 1));
	return ratio_of(x.mean - y.mean, stats_t95(degrees) * sqrt(sx + sy), n);
}

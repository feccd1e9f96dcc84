// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The histogram against sorting all samples.

#include "unit.h"

#include "record/hdr.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#define SAMPLES 20000

static uint64_t state;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct hdr *new_hdr(void)
{
	struct hdr *h = malloc(sizeof(*h));

	assert_non_null(h);
	hdr_clear(h);
	return h;
}

static void every_value_has_its_bucket(void **)
{
	uint64_t low = 0;

	for (unsigned i = 0; i < HDR_BUCKETS; i++) {
		uint64_t upper = hdr_upper(i);

		assert_int_equal(hdr_bucket(low), i);
		assert_int_equal(hdr_bucket(upper), i);
		assert_int_equal(hdr_bucket((low + upper) / 2), i);
		// the error: less than one part in 128
		assert_true((upper - low) * HDR_SUB <= low);
		low = upper + 1;
	}
	assert_int_equal(low, HDR_TOP + 1);
	assert_int_equal(hdr_bucket(UINT64_MAX), HDR_BUCKETS - 1);
	for (uint64_t v = 0; v < 256; v++)
		assert_int_equal(hdr_upper(hdr_bucket(v)), v);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

// Of n samples whose size is spread over `bits` powers of two.
static void check_random(unsigned n, unsigned bits)
{
	static const double percents[] = {0, 0.01, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100};
	_cleanup_free_ uint64_t *v = calloc(n, sizeof(*v));
	_cleanup_free_ struct hdr *h = new_hdr();
	double sum = 0;

	assert_non_null(v);
	for (unsigned i = 0; i < n; i++) {
		v[i] = random64() >> (64 - bits + random64() % bits);
		hdr_record(h, v[i]);
		sum += (double)v[i];
	}
	qsort(v, n, sizeof(*v), compare);
	assert_int_equal(h->count, n);
	assert_int_equal(h->min, v[0]);
	assert_int_equal(h->max, v[n - 1]);
	assert_true(fabs(hdr_mean(h) - sum / n) <= 1e-9 * sum / n);
	for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
		uint64_t got = hdr_percentile(h, percents[i]), exact;
		double rank = ceil(percents[i] * n / 100 - 1e-9);

		exact = v[rank > 0 ? (unsigned)rank - 1 : 0];
		assert_true(got >= exact);
		assert_true((got - exact) * HDR_SUB <= exact);
		assert_true(got <= h->max);
	}
	assert_int_equal(hdr_percentile(h, 100), h->max);
}

static void agrees_with_sorting(void **)
{
	state = 88172645463325252;
	for (unsigned bits = 1; bits <= HDR_VALUE_BITS; bits++) {
		check_random(1, bits);
		check_random(2, bits);
		check_random(1000, bits);
	}
	check_random(SAMPLES, 12);
	check_random(SAMPLES, HDR_VALUE_BITS);
}

static void percentiles_of_small_counts(void **)
{
	_cleanup_free_ struct hdr *h = new_hdr();

	for (uint64_t v = 1; v <= 100; v++)
		hdr_record(h, v);
	assert_int_equal(hdr_percentile(h, 0), 1);
	assert_int_equal(hdr_percentile(h, 1), 1);
	assert_int_equal(hdr_percentile(h, 1.5), 2);
	assert_int_equal(hdr_percentile(h, 50), 50);
	assert_int_equal(hdr_percentile(h, 99), 99);
	assert_int_equal(hdr_percentile(h, 99.9), 100);
	hdr_clear(h);
	// 99.9 % of 1000 are 999 samples, though 0.999 * 1000 is a little more
	for (unsigned i = 0; i < 999; i++)
		hdr_record(h, 5);
	hdr_record(h, 200);
	assert_int_equal(hdr_percentile(h, 99.9), 5);
	assert_int_equal(hdr_percentile(h, 99.99), 200);
}

static void nothing_and_too_much(void **)
{
	_cleanup_free_ struct hdr *h = new_hdr();

	assert_int_equal(hdr_percentile(h, 50), 0);
	assert_true(hdr_mean(h) == 0);
	hdr_record(h, UINT64_MAX);
	hdr_record(h, HDR_TOP + 1);
	assert_int_equal(h->max, UINT64_MAX);
	assert_int_equal(h->min, HDR_TOP + 1);
	assert_int_equal(h->buckets[HDR_BUCKETS - 1], 2);
	assert_int_equal(hdr_percentile(h, 50), UINT64_MAX);
	assert_true(hdr_mean(h) > 9.2e18 && hdr_mean(h) < 9.3e18);
}

static void merging_is_recording_all(void **)
{
	_cleanup_free_ struct hdr *a = new_hdr(), *b = new_hdr(), *all = new_hdr();

	state = 12345;
	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t v = random64() >> (24 + random64() % 40);

		hdr_record(random64() % 3 == 0 ? a : b, v);
		hdr_record(all, v);
	}
	hdr_merge(a, b);
	assert_memory_equal(a, all, sizeof(*a));
	hdr_clear(b);
	hdr_merge(a, b);
	assert_memory_equal(a, all, sizeof(*a));
}

static void as_json(void **)
{
	_cleanup_free_ struct hdr *h = new_hdr();
	json_t *o, *pair;
	uint64_t total = 0;

	o = hdr_json(h, 0.5);
	assert_int_equal(json_integer_value(json_object_get(o, "count")), 0);
	assert_int_equal(json_object_size(o), 1);
	json_decref(o);
	hdr_record(h, 10);
	hdr_record(h, 10);
	hdr_record(h, 1000);
	o = hdr_json(h, 0.5);
	assert_int_equal(json_integer_value(json_object_get(o, "count")), 3);
	assert_true(json_real_value(json_object_get(o, "min")) == 5);
	assert_true(json_real_value(json_object_get(o, "p50")) == 5);
	assert_true(json_real_value(json_object_get(o, "p99.99")) == 500);
	assert_true(json_real_value(json_object_get(o, "max")) == 500);
	assert_true(fabs(json_real_value(json_object_get(o, "mean")) - 170) < 1e-9);
	json_decref(o);
	o = hdr_json_buckets(h, 0.5);
	assert_int_equal(json_array_size(o), 2);
	for (size_t i = 0; i < json_array_size(o); i++) {
		pair = json_array_get(o, i);
		assert_int_equal(json_array_size(pair), 2);
		total += (uint64_t)json_integer_value(json_array_get(pair, 1));
	}
	assert_int_equal(total, 3);
	assert_true(json_real_value(json_array_get(json_array_get(o, 0), 0)) == 5);
	assert_true(json_real_value(json_array_get(json_array_get(o, 1), 0)) == 501.5);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_has_its_bucket),
		cmocka_unit_test(agrees_with_sorting),
		cmocka_unit_test(percentiles_of_small_counts),
		cmocka_unit_test(nothing_and_too_much),
		cmocka_unit_test(merging_is_recording_all),
		cmocka_unit_test(as_json),
	};

	return cmocka_run_group_tests_name("drover_hdr", tests, NULL, NULL);
}

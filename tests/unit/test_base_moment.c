// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/moment.h"
#include "base/scope.h"

#include <stdlib.h>
#include <time.h>

#define NOW INT64_C(1796000000000) // 2026-11-30T00:53:20Z

static int64_t parsed(const char *s)
{
	int64_t v = -1;
	struct err err;

	assert_ok(moment_parse(s, NOW, &v, &err), &err);
	return v;
}

static void spans(void **)
{
	assert_int_equal(parsed("0s"), NOW);
	assert_int_equal(parsed("90s"), NOW - 90000);
	assert_int_equal(parsed("10m"), NOW - 600000);
	assert_int_equal(parsed("2h30m"), NOW - 9000000);
	assert_int_equal(parsed("1d2h3m4s"), NOW - (26 * 3600 + 184) * INT64_C(1000));
	assert_int_equal(parsed("36h"), NOW - 36 * INT64_C(3600000));
}

// Whatever the caller's zone is.
static void times(void **)
{
	int64_t day = parsed("2026-11-29"), ten = day + 36000000;

	assert_int_equal(day, INT64_C(1795910400000));
	assert_int_equal(parsed("2026-11-29T10:00"), ten);
	assert_int_equal(parsed("2026-11-29T10:00:00"), ten);
	assert_int_equal(parsed("2026-11-29T10:00Z"), ten);
	assert_int_equal(parsed("2026-11-29T10:00:00Z"), ten);
	assert_int_equal(parsed("2026-11-29T11:00:00+01:00"), ten);
	assert_int_equal(parsed("2026-11-29T04:30:00-05:30"), ten);
	assert_int_equal(parsed("2026-11-29T10:00:00.25Z"), ten + 250);
	assert_int_equal(parsed("2026-11-29T10:00:00.123456789Z"), ten + 123);
	assert_int_equal(parsed("2024-02-29"), INT64_C(1709164800000));
}

static void refuses(void **)
{
	static const char *const bad[] = {
		"",
		"10",
		"m",
		"-10m",
		"10x",
		"10m2h",
		"10m10m",
		"1.5h",
		"10 m",
		"99999999999999999999d",
		"yesterday",
		"10:00",
		"2026",
		"2026-11",
		"2026-13-01",
		"2026-02-30",
		"2026-11-29T",
		"2026-11-29T10",
		"2026-11-29T25:00",
		"2026-11-29T10:00:00.",
		"2026-11-29T10:00.5",
		"2026-11-29T10:00 ",
		" 2026-11-29",
		"2026-11-29T10:00x",
		"2026-11-29T10:00Zx",
		"26-11-29",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t v = 7;
		struct err err;

		assert_fails(
			moment_parse(bad[i], NOW, &v, &err), &err, "how long ago (10m, 2h30m, 1d)"
		);
		assert_int_equal(v, 7);
	}
}

static int elsewhere(void **)
{
	return setenv("TZ", "Asia/Tokyo", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans),
		cmocka_unit_test(times),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, elsewhere, NULL);
}

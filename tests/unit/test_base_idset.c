// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/idset.h"

#include <stdio.h>

static char *shown(const char *text)
{
	static char buf[IDSET_STR];
	struct idset set;
	struct err err;

	assert_ok(idset_parse(text, &set, &err), &err);
	return idset_format(&set, buf, sizeof(buf));
}

static void parses_and_formats(void **)
{
	assert_string_equal(shown(""), "");
	assert_string_equal(shown("\n"), "");
	assert_string_equal(shown("0"), "0");
	assert_string_equal(shown("0-0"), "0");
	assert_string_equal(shown(" 0-3\n"), "0-3");
	assert_string_equal(shown("0,1,2"), "0-2");
	assert_string_equal(shown("0,1"), "0-1");
	assert_string_equal(shown("8,0-3,10-11"), "0-3,8,10-11");
	assert_string_equal(shown("0-5,3-8"), "0-8");
	assert_string_equal(shown("62-65"), "62-65");
	assert_string_equal(shown("007"), "7");
	assert_string_equal(shown("8191"), "8191");
	assert_string_equal(shown("0-8191"), "0-8191");
}

static void refuses(void **)
{
	static const char *const bad[] = {
		"3-1",
		"1,,2",
		",",
		",1",
		"1,",
		"1,\n",
		"-1",
		"1-",
		"1--2",
		"1-2-3",
		"+1",
		"0x1",
		"a",
		"1a",
		"1 2",
		"1, 2",
		"1 ,2",
		"1;2",
		"0-8192",
		"8192",
		"4294967296",
		"18446744073709551616",
		"99999999999999999999999999",
		"0-3:1/2",
		"all",
		"1.5",
		"\xff",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct idset set = {{7}};
		struct err err;

		assert_fails(idset_parse(bad[i], &set, &err), &err, "read list '");
		// the caller's set is as it was
		assert_int_equal(set.word[0], 7);
	}
}

// What a kernel says may be more than there is room for.
static void leaves_out_what_is_beyond(void **)
{
	static const struct {
		const char *text, *below;
		int r;
	} cases[] = {
		{"0-3,8", "0-3,8", 0},
		{"", "", 0},
		{" \n", "", 0},
		{"0-15", "0-15", 0},
		{"0-16", "0-15", 1},
		{"3,16", "3", 1},
		{"14-99999999999999999999,7", "7,14-15", 1},
		{"16-17", "", 1},
		{"20000-30000,90000", "", 1},
		{"0-3,9-8", NULL, -EINVAL},
		{"99999,x", NULL, -EINVAL},
		{"99999-", NULL, -EINVAL},
		{"(null)", NULL, -EINVAL},
	};
	char buf[IDSET_STR];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct idset set = {{7}};

		assert_int_equal(idset_parse_below(cases[i].text, 16, &set), cases[i].r);
		if (cases[i].r >= 0)
			assert_string_equal(idset_format(&set, buf, sizeof(buf)), cases[i].below);
		else
			assert_int_equal(set.word[0], 7);
	}
}

// The longest text there can be is of pairs: 0-1,3-4,...
static void longest_text_fits(void **)
{
	static char buf[IDSET_STR];
	struct idset set = {0}, again;
	struct err err;

	for (unsigned i = 0; i < IDSET_MAX; i++) {
		if (i % 3 != 2)
			idset_add(&set, i);
	}
	idset_format(&set, buf, sizeof(buf));
	assert_true(strlen(buf) > 26000);
	assert_ok(idset_parse(buf, &again, &err), &err);
	assert_true(idset_equal(&set, &again));
}

static void short_buffers_stay_whole(void **)
{
	struct idset set;
	struct err err;
	char buf[8];

	assert_ok(idset_parse("1000-1001,2000-2001", &set, &err), &err);
	memset(buf, 'x', sizeof(buf));
	idset_format(&set, buf, 4);
	assert_string_equal(buf, "100");
	assert_int_equal(buf[4], 'x');
	idset_format(&set, buf, 1);
	assert_string_equal(buf, "");
	idset_format(&set, NULL, 0);
	idset_format_mask(&set, 64, buf, 1);
	assert_string_equal(buf, "");
}

static void masks(void **)
{
	struct idset set;
	struct err err;
	char buf[4096];

	assert_ok(idset_parse("0-3,8,32,63", &set, &err), &err);
	assert_string_equal(idset_format_mask(&set, 0, buf, sizeof(buf)), "0000010f");
	assert_string_equal(idset_format_mask(&set, 1, buf, sizeof(buf)), "0000010f");
	assert_string_equal(idset_format_mask(&set, 33, buf, sizeof(buf)), "80000001,0000010f");
	assert_string_equal(
		idset_format_mask(&set, 96, buf, sizeof(buf)), "00000000,80000001,0000010f"
	);
	// more bits than a set has
	assert_int_equal(strlen(idset_format_mask(&set, 9000, buf, sizeof(buf))), 282 * 9 - 1);
}

static void members(void **)
{
	struct idset set = {0};

	assert_true(idset_empty(&set));
	assert_int_equal(idset_first(&set), -1);
	idset_add(&set, 8191);
	idset_add(&set, 8192);
	idset_add(&set, 1u << 31);
	assert_int_equal(idset_count(&set), 1);
	assert_true(idset_has(&set, 8191));
	assert_false(idset_has(&set, 8192));
	assert_int_equal(idset_next(&set, 0), 8191);
	assert_int_equal(idset_next(&set, 8191), 8191);
	assert_int_equal(idset_next(&set, 8192), -1);
	assert_int_equal(idset_next(&set, 1u << 31), -1);
	idset_del(&set, 8192);
	idset_del(&set, 8191);
	assert_true(idset_empty(&set));
}

static void visits_in_order(void **)
{
	struct idset set;
	struct err err;
	int sum = 0, last = -1;

	assert_ok(idset_parse("0,63-64,127,8191", &set, &err), &err);
	idset_foreach (id, &set) {
		assert_true(id > last);
		last = id;
		sum += id;
	}
	assert_int_equal(sum, 63 + 64 + 127 + 8191);
}

static void algebra(void **)
{
	struct idset a, b, c;
	struct err err;
	char buf[64];

	assert_ok(idset_parse("0-3,100", &a, &err), &err);
	assert_ok(idset_parse("2-5", &b, &err), &err);
	c = a;
	idset_or(&c, &b);
	assert_string_equal(idset_format(&c, buf, sizeof(buf)), "0-5,100");
	assert_true(idset_subset(&a, &c));
	assert_false(idset_subset(&c, &a));
	c = a;
	idset_and(&c, &b);
	assert_string_equal(idset_format(&c, buf, sizeof(buf)), "2-3");
	assert_true(idset_intersects(&a, &b));
	c = a;
	idset_andnot(&c, &b);
	assert_string_equal(idset_format(&c, buf, sizeof(buf)), "0-1,100");
	assert_false(idset_intersects(&c, &b));
	memset(&b, 0, sizeof(b));
	assert_true(idset_subset(&b, &a));
	assert_false(idset_intersects(&b, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_formats),
		cmocka_unit_test(refuses),
		cmocka_unit_test(leaves_out_what_is_beyond),
		cmocka_unit_test(longest_text_fits),
		cmocka_unit_test(short_buffers_stay_whole),
		cmocka_unit_test(masks),
		cmocka_unit_test(members),
		cmocka_unit_test(visits_in_order),
		cmocka_unit_test(algebra),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

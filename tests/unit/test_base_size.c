// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/size.h"

static uint64_t parsed(const char *s)
{
	uint64_t v = 0;
	struct err err;

	assert_ok(size_parse(s, &v, &err), &err);
	return v;
}

static void parses(void **)
{
	assert_int_equal(parsed("0"), 0);
	assert_int_equal(parsed("4096"), 4096);
	assert_int_equal(parsed("1B"), 1);
	assert_int_equal(parsed("1b"), 1);
	assert_int_equal(parsed("64K"), 64 << 10);
	assert_int_equal(parsed("2M"), 2 << 20);
	assert_int_equal(parsed("2mb"), 2 << 20);
	assert_int_equal(parsed("2MB"), 2 << 20);
	assert_int_equal(parsed("2MiB"), 2 << 20);
	assert_int_equal(parsed("1GiB"), 1 << 30);
	assert_int_equal(parsed("1g"), 1 << 30);
	assert_int_equal(parsed("3T"), 3ull << 40);
	assert_int_equal(parsed("0G"), 0);
	assert_int_equal(parsed("18446744073709551615"), UINT64_MAX);
	assert_int_equal(parsed("16777215T"), 16777215ull << 40);
}

static void refuses(void **)
{
	static const char *const bad[] = {
		"",	"B",	"M",   "iB",   "2iB", "-1",  "+1",   " 1",  "1 ", "1 M",   "1M\n",
		"1.5G", "1,5G", "1e3", "0x10", "2MM", "2Mi", "2MBB", "2BB", "2P", "2MiBs", "M2",
	};
	static const char *const large[] = {
		"18446744073709551616",
		"99999999999999999999999",
		"16777216T",
		"18014398509481984K",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t v = 7;
		struct err err;

		assert_fails(size_parse(bad[i], &v, &err), &err, "read size '");
		assert_int_equal(v, 7);
	}
	for (size_t i = 0; i < ARRAY_LEN(large); i++) {
		uint64_t v = 7;
		struct err err;

		assert_fails(size_parse(large[i], &v, &err), &err, "it is too large");
		assert_int_equal(v, 7);
	}
}

static void formats(void **)
{
	char buf[SIZE_STR];

	assert_string_equal(size_format(0, buf), "0");
	assert_string_equal(size_format(100, buf), "100");
	assert_string_equal(size_format(1023, buf), "1023");
	assert_string_equal(size_format(1024, buf), "1K");
	assert_string_equal(size_format(1536 << 10, buf), "1536K");
	assert_string_equal(size_format(2 << 20, buf), "2M");
	assert_string_equal(size_format(1 << 30, buf), "1G");
	assert_string_equal(size_format(1ull << 60, buf), "1048576T");
	assert_string_equal(size_format(UINT64_MAX, buf), "18446744073709551615");
}

static void names_of_the_hugetlb_controller(void **)
{
	char buf[SIZE_STR];

	assert_string_equal(size_format_hugetlb(2 << 20, buf), "2MB");
	assert_string_equal(size_format_hugetlb(1 << 30, buf), "1GB");
	assert_string_equal(size_format_hugetlb(64 << 10, buf), "64KB");
	assert_string_equal(size_format_hugetlb(16ull << 30, buf), "16GB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(formats),
		cmocka_unit_test(names_of_the_hugetlb_controller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

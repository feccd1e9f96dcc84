// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/columns.h"
#include "base/scope.h"

#include <stdint.h>

static void expect(const char *text, size_t width, bool in_middle, const char *printed)
{
	_cleanup_free_ char *got = NULL;
	size_t len;
	FILE *f = open_memstream(&got, &len);

	columns_print(f, text, width, in_middle);
	fclose(f);
	assert_string_equal(got, printed);
}

static void counts(void **)
{
	assert_int_equal(columns_of(""), 0);
	assert_int_equal(columns_of("abc"), 3);
	assert_int_equal(columns_of("aä…"), 3);
}

static void finds(void **)
{
	assert_string_equal(columns_at("aä…", 0), "aä…");
	assert_string_equal(columns_at("aä…", 2), "…");
	assert_string_equal(columns_at("aä…", 3), "");
	assert_string_equal(columns_at("aä…", SIZE_MAX), "");
}

static void prints(void **)
{
	expect("abc", 5, false, "abc");
	expect("abcde", 5, true, "abcde");
	expect("abcdef", 5, false, "abcd…");
	expect("abcdef", 5, true, "ab…ef");
	expect("abcdef", 4, true, "ab…f");
	expect("abcdef", 1, true, "…");
	// no character is cut in two
	expect("äöüß€", 4, false, "äöü…");
	expect("äöüß€", 4, true, "äö…€");
}

static void a_file_has_no_width(void **)
{
	_cleanup_fclose_ FILE *f = fopen("/dev/null", "w");

	assert_int_equal(columns_here(f), SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(finds),
		cmocka_unit_test(prints),
		cmocka_unit_test(a_file_has_no_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

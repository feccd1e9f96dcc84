// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/columns.h"

#include <string.h>
#include <unistd.h>

// What columns_print prints.
static void expect(const char *text, size_t width, bool in_middle, bool pad, const char *printed)
{
	char path[] = "/tmp/pinfold-columns-XXXXXX", got[256];
	int fd = mkstemp(path), out = dup(STDOUT_FILENO);
	ssize_t n;

	assert_true(fd >= 0 && out >= 0);
	unlink(path);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	columns_print(text, width, in_middle, pad);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	n = pread(fd, got, sizeof(got) - 1, 0);
	close(fd);
	close(out);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, printed);
}

static void counts(void **)
{
	assert_int_equal(columns_of(""), 0);
	assert_int_equal(columns_of("abc"), 3);
	assert_int_equal(columns_of("aä…"), 3);
}

static void prints(void **)
{
	expect("abc", 5, false, false, "abc");
	expect("abc", 5, false, true, "abc  ");
	expect("abcde", 5, true, true, "abcde");
	expect("abcdef", 5, false, true, "abcd…");
	expect("abcdef", 5, true, true, "ab…ef");
	expect("abcdef", 4, true, true, "ab…f");
	expect("abcdef", 1, true, true, "…");
	// no character is cut in two
	expect("äöüß€", 4, false, true, "äöü…");
	expect("äöüß€", 4, true, true, "äö…€");
	expect("äö", 4, false, true, "äö  ");
}

static void fits(void **)
{
	static const size_t least[] = {8, 3, 8};
	size_t width[] = {10, 3, 40};

	assert_int_equal(columns_fit(width, least, 3, 80), 57);
	assert_int_equal(width[2], 40);
	// the widest gives
	assert_int_equal(columns_fit(width, least, 3, 40), 40);
	assert_int_equal(width[0], 10);
	assert_int_equal(width[2], 23);
	// then both do
	assert_int_equal(columns_fit(width, least, 3, 25), 25);
	assert_int_equal(width[0], 9);
	assert_int_equal(width[1], 3);
	assert_int_equal(width[2], 9);
	// and more is not to be had
	assert_int_equal(columns_fit(width, least, 3, 10), 23);
	assert_int_equal(width[0], 8);
	assert_int_equal(width[2], 8);
	assert_int_equal(columns_fit(width, least, 0, 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(prints),
		cmocka_unit_test(fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

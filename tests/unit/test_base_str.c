// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/scope.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void prints(void **)
{
	_cleanup_free_ char *s = str_printf("%d-%s", 3, "x");

	assert_string_equal(s, "3-x");
}

static void adds_what_fits(void **)
{
	char buf[10] = "";

	str_add(buf, sizeof(buf), ", ", "%d", 12);
	assert_string_equal(buf, "12");
	str_add(buf, sizeof(buf), ", ", "%s", "abc");
	assert_string_equal(buf, "12, abc");
	str_add(buf, sizeof(buf), ", ", "%s", "de");
	assert_string_equal(buf, "12, abc, ");
	str_add(buf, sizeof(buf), ", ", "%s", "de");
	assert_string_equal(buf, "12, abc, ");
}

static void compares(void **)
{
	assert_true(str_eq("", ""));
	assert_false(str_eq("a", "A"));
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("a", "ab"));
}

static void takes_names(void **)
{
	static const char *const good[] = {"a", "0", "vnf-1", "a.b_c", "a-", "0x", "a..b"};
	char longest[NAME_MAX_LEN + 1] = "";
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_ok(name_check("grant", good[i], &err), &err);
	memset(longest, 'a', NAME_MAX_LEN);
	assert_ok(name_check("grant", longest, &err), &err);
}

static void refuses_names(void **)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		"-a",
		".a",
		"_a",
		"A",
		"aB",
		"a/b",
		"a b",
		"a\n",
		"\xc3\xa9",
		"a\x1b",
	};
	char too_long[NAME_MAX_LEN + 2] = "";
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_fails(name_check("grant", bad[i], &err), &err, "is no name for grant");
	memset(too_long, 'a', NAME_MAX_LEN + 1);
	assert_fails(name_check("grant", too_long, &err), &err, "1 to 48");
}

static void makes_plain(void **)
{
	static const char *const cases[][2] = {
		{"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"a\nb\tc\x1b[31m\x7f", "a b c [31m "},
		{"\xc2\x9b"
		 "31m\xc2\x80\xc2\x9f\xc2\xa0",
		 "  31m    \xc2\xa0"}, // C1; U+00A0 is none
		{"\x9b"
		 "31m\x80\xff",
		 "?31m??"},			     // the same as bytes
		{"a\xe2\x80\xaegnp.b", "a   gnp.b"}, // U+202E
		{"\xe2\x81\xa6\xd8\x9c\xe2\x80\x8b", "        "},
		{"\xc0\x9b\xe0\x82\x9b\xed\xa0\x80", "????????"}, // overlong, surrogate
		{"\xf4\x90\x80\x80", "????"},
		{"cut \xe2\x82", "cut ??"},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_free_ char *s = strdup(cases[i][0]);

		str_plain(s);
		assert_string_equal(s, cases[i][1]);
	}
}

// A shell hands on what it was given, and does nothing else.
static void quotes_for_a_shell(void **)
{
	static const char *const plain[] = {"a", "/dev/hugepages", "0000:03:00.1", "x=1,y%z@h"};
	static const char *const hostile[] = {
		"",
		" ",
		"a b",
		"$(echo pwned)",
		"`echo pwned`",
		"x; echo pwned",
		"x\necho pwned\n",
		"it's",
		"'; echo pwned; '",
		"''",
		"'",
		"\\'",
		"\"",
		"*",
		"~",
		"!!",
		"#",
		"-n",
		"a\\",
		"\xff\x80",
	};

	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		_cleanup_free_ char *s = str_quote(plain[i]);

		assert_string_equal(s, plain[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		_cleanup_free_ char *s = str_quote(hostile[i]);
		_cleanup_free_ char *line = str_printf("printf '%%s.' %s", s);
		_cleanup_free_ char *want = str_printf("%s.", hostile[i]);
		char got[128] = "";
		FILE *f = popen(line, "re");

		assert_non_null(f);
		got[fread(got, 1, sizeof(got) - 1, f)] = '\0';
		assert_int_equal(pclose(f), 0);
		assert_string_equal(got, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints),
		cmocka_unit_test(adds_what_fits),
		cmocka_unit_test(makes_plain),
		cmocka_unit_test(quotes_for_a_shell),
		cmocka_unit_test(compares),
		cmocka_unit_test(takes_names),
		cmocka_unit_test(refuses_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

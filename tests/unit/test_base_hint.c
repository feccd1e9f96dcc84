// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/hint.h"

static const char *const words[] = {"cpus", "mems", "hugepages", "name", NULL};

static void finds_the_nearest_word(void **)
{
	static const char *const none[] = {NULL};
	static const char *const cases[][2] = {
		{"cpu", "; did you mean 'cpus'?"},
		{"cpsu", "; did you mean 'cpus'?"},
		{"CPUS", "; did you mean 'cpus'?"},
		{"hugepage", "; did you mean 'hugepages'?"},
		{"huge-pages", "; did you mean 'hugepages'?"},
		{"names", "; did you mean 'name'?"},
		{"zzzzzz", ""},
		{"", ""},
	};
	char buf[HINT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(hint(buf, cases[i][0], words), cases[i][1]);
	assert_string_equal(hint(buf, "cpu", none), "");
}

static void finds_the_nearest_row(void **)
{
	static const struct {
		int number;
		const char *name;
	} rows[] = {{1, "list"}, {2, "bind"}, {3, "unbind"}, {0, NULL}};
	char buf[HINT_MAX];

	hint_table(buf, "nic ", "unbnd", rows, SIZE_MAX);
	assert_string_equal(buf, "; did you mean 'nic unbind'?");
	assert_string_equal(hint_table(buf, "", "unbnd", rows, 1), "");
}

// A word that is far too long resembles nothing, and what is printed has room.
static void long_words(void **)
{
	char big[400], buf[HINT_MAX];
	const char *longest[] = {big, NULL};

	for (size_t n = 1; n < sizeof(big); n++) {
		memset(big, 'z', n);
		big[n] = '\0';
		assert_string_equal(hint(buf, big, words), "");
		hint_row(buf, "a prefix ", big, longest, 1, sizeof(longest[0]));
		assert_true(buf[0] == '\0' || strstr(buf, "'?") != NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_nearest_word),
		cmocka_unit_test(finds_the_nearest_row),
		cmocka_unit_test(long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// What wrap_print prints of a text.
static void expect(const char *text, const char *printed)
{
	char path[] = "/tmp/pinfold-wrap-XXXXXX", got[4096];
	int fd = mkstemp(path), out = dup(STDOUT_FILENO);
	ssize_t n;

	assert_true(fd >= 0 && out >= 0);
	unlink(path);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	wrap_print(text);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	n = pread(fd, got, sizeof(got) - 1, 0);
	close(fd);
	close(out);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, printed);
}

#define TEN "123456789 "
#define FORTY TEN TEN TEN TEN

static void test_what_fits_stays(void **state)
{
	(void)state;
	expect("Usage: a b\n\nOne\ntwo.\n\n  -x  text\n      more\n",
	       "Usage: a b\n\nOne\ntwo.\n\n  -x  text\n      more\n");
	expect("no line feed", "no line feed\n");
}

static void test_paragraph(void **state)
{
	(void)state;
	expect(FORTY FORTY "a\nb\n\nc\n", FORTY TEN TEN TEN "123456789\na b\n\nc\n");
}

static void test_synopsis(void **state)
{
	(void)state;
	expect("Usage: " FORTY FORTY "\n       " FORTY FORTY "\n       c d\n",
	       "Usage: " FORTY TEN TEN "123456789\n           123456789\n"
	       "       " FORTY TEN TEN "123456789\n           123456789\n       c d\n");
}

static void test_rows(void **state)
{
	(void)state;
	expect("  -a, --all   " FORTY TEN TEN TEN "next\n              further\n  -b  x\n",
	       "  -a, --all   " FORTY TEN "123456789\n"
	       "              123456789 next further\n  -b  x\n");
	// a label too long to have its text beside it
	expect("  --much=NAME[,ADDRESS/PREFIX...]  " FORTY TEN "\n",
	       "  --much=NAME[,ADDRESS/PREFIX...]\n"
	       "                          123456789 123456789 123456789 123456789 123456789\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_fits_stays),
		cmocka_unit_test(test_paragraph),
		cmocka_unit_test(test_synopsis),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

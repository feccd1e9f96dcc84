// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include <errno.h>

static void sets_code_and_message(void **)
{
	struct err err = {0};

	assert_int_equal(err_set(&err, ENOENT, "open '%s'", "x"), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.msg, "open 'x'");
}

static void adds_the_reason(void **)
{
	struct err err = {0};

	assert_int_equal(err_sys(&err, EACCES, "open '%s'", "x"), -EACCES);
	assert_string_equal(err.msg, "open 'x': Permission denied");
}

// A caller that passes 0 by mistake must not look like a success.
static void zero_is_a_failure_too(void **)
{
	struct err err = {0};

	assert_int_equal(err_set(&err, 0, "odd"), -EIO);
	assert_int_equal(err_sys(&err, 0, "odd"), -EIO);
	assert_string_equal(err.msg, "odd: Input/output error");
}

static void wraps(void **)
{
	struct err err = {0};

	err_set(&err, ENOENT, "open 'x'");
	assert_int_equal(err_wrap(&err, "read grant '%s'", "a"), -ENOENT);
	assert_string_equal(err.msg, "read grant 'a': open 'x'");
	assert_int_equal(err.code, ENOENT);
}

static void is_one_line_without_control_characters(void **)
{
	struct err err = {0};

	err_set(&err, EINVAL, "a\nb\tc\x1b[31md\x7f");
	assert_string_equal(err.msg, "a b c [31md ");
	// U+009B is a control sequence introducer in one character; é shares its first byte's range
	err_set(&err,
		EINVAL,
		"a\xc2\x9b"
		"31m \xc3\xa9");
	assert_string_equal(err.msg, "a  31m \xc3\xa9");
	err_wrap(&err, "x\ny");
	assert_null(strchr(err.msg, '\n'));
}

static void is_cut_when_too_long(void **)
{
	char big[3000];
	struct err err = {0};

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&err, EINVAL, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	err_wrap(&err, "outer");
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_memory_equal(err.msg, "outer: aaa", 10);
	err_sys(&err, EINVAL, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	err_wrap(&err, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void out_of_memory(void **)
{
	struct err err = {0};

	assert_int_equal(err_oom(&err), -ENOMEM);
	assert_string_equal(err.msg, "out of memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_code_and_message),
		cmocka_unit_test(adds_the_reason),
		cmocka_unit_test(zero_is_a_failure_too),
		cmocka_unit_test(wraps),
		cmocka_unit_test(is_one_line_without_control_characters),
		cmocka_unit_test(is_cut_when_too_long),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What every unit test includes: cmocka, and a few words it lacks.
#pragma once

#include "base/err.h"
#include "base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

// Leaves the test as skipped, with the reason in the summary.
#define skip_because(...)                            \
	do {                                         \
		print_message("skip: " __VA_ARGS__); \
		print_message("\n");                 \
		skip();                              \
	} while (0)

#define assert_contains(text, part)                                         \
	do {                                                                \
		if (strstr(text, part) == NULL)                             \
			fail_msg("'%s' does not contain '%s'", text, part); \
	} while (0)

// A call that must work; shows the error's message when it does not.
#define assert_ok(call, err)                                   \
	do {                                                   \
		if ((call) < 0)                                \
			fail_msg("%s: %s", #call, (err)->msg); \
	} while (0)

// A call that must fail, with a message of one line that holds the words.
#define assert_fails(call, err, words)                 \
	do {                                           \
		memset(err, 0, sizeof(*(err)));        \
		assert_true((call) < 0);               \
		assert_true((err)->code > 0);          \
		assert_null(strchr((err)->msg, '\n')); \
		assert_contains((err)->msg, words);    \
	} while (0)

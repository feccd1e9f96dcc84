// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// drover top asks whoever has the socket: also what is no drover's answer is shown.

#include "unit.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "client/top.h"
#include "text/figure.h"

#include <string.h>

static bool shows(const char *first, const char *second, const char *words)
{
	_cleanup_json_ json_t *prev = json_loads(first, 0, NULL);
	_cleanup_json_ json_t *now = json_loads(second, 0, NULL);
	struct lines l = {0};
	bool found = false;

	assert_true(json_is_object(prev) && json_is_object(now));
	sample_rates(prev, NULL);
	sample_rates(now, prev);
	page_lines(now, 0, &l);
	assert_false(l.failed);
	for (size_t i = 0; i < l.n; i++)
		found |= strstr(l.line[i].text, words) != NULL;
	lines_done(&l);
	return found;
}

static void answers_without_names(void **)
{
	static const char *const kinds[] = {"tasks", "ports", "rings"};
	static const char *const before[] = {"{}", "{\"name\":7}", "7", "null", "[]"};

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (size_t i = 0; i < ARRAY_LEN(before); i++) {
			_cleanup_free_ char *first = str_printf(
				"{\"info\":{\"pid\":7},\"time_ns\":2e9,\"since_ns\":1,\"%s\":[%s]}",
				kinds[k],
				before[i]
			);
			_cleanup_free_ char *second = str_printf(
				"{\"info\":{\"pid\":7},\"time_ns\":3e9,\"since_ns\":1,\"%s\":[{"
				"\"name\":\"who\"}]}",
				kinds[k]
			);

			assert_true(shows(first, second, "who"));
			// and the other way about
			shows(second, first, "");
		}
	}
}

static void counts_from_the_one_before(void **)
{
	assert_true(
		shows("{\"info\":{\"pid\":7},\"time_ns\":2e9,\"since_ns\":1,\"rings\":[{},{"
		      "\"name\":\"r\",\"sent\":10}]}",
		      "{\"info\":{\"pid\":7},\"time_ns\":4e9,\"since_ns\":1,\"rings\":[{\"name\":"
		      "\"r\",\"sent\":24}]}",
		      "7 pps")
	);
}

static void figures_of_any_size(void **)
{
	char buf[FIGURE_STR];

	assert_string_equal(figure_clock(3661, buf), "1:01:01");
	assert_string_equal(figure_clock(1e300, buf), "0:00:00");
	assert_string_equal(figure_clock(-1, buf), "0:00:00");
	assert_true(shows("{}", "{\"info\":{\"uptime_seconds\":1e300}}", "up 0:00:00"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_without_names),
		cmocka_unit_test(counts_from_the_one_before),
		cmocka_unit_test(figures_of_any_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

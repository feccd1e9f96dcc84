// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/options.h"

#include <getopt.h>
#include <stdio.h>

static const struct option longs[] = {
	{"json", no_argument, NULL, 'j'},
	{"mems", required_argument, NULL, 'm'},
	{"seconds", required_argument, NULL, 's'},
	{0},
};

// The letters of a command line, or what is wrong with it.
static const char *parse(const char *shorts, const char *words)
{
	static char got[64];
	static struct err err;
	char copy[128], *argv[16] = {(char *)"x"}, *save = NULL;
	int argc = 1, c, n = 0;

	strcpy(copy, words);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	optind = 0;
	while ((c = options_next(argc, argv, shorts, longs, "x --help", &err)) > 0 && c != '?')
		got[n++] = (char)c;
	if (c == '?')
		return err.msg;
	for (int i = optind; i < argc; i++)
		n += snprintf(got + n, sizeof(got) - (size_t)n, " %s", argv[i]);
	got[n] = '\0';
	return got;
}

static void takes(void **)
{
	assert_string_equal(parse("+a", "-a --json --seconds=3 one --json"), "ajs one --json");
	assert_string_equal(parse("a", "one --json -- -a"), "j one -a");
	assert_string_equal(parse("+", ""), "");
}

static void refuses(void **)
{
	static const char *const cases[][3] = {
		{"+a", "--jsn", "unknown option '--jsn'; did you mean '--json'?"},
		{"+a", "--sceonds=3", "unknown option '--sceonds'; did you mean '--seconds'?"},
		{"+a", "--nodes 1", "unknown option '--nodes'; here it is '--mems'"},
		{"+a", "--node=1", "unknown option '--node'; here it is '--mems'"},
		// of which this command has no word
		{"+a", "--pids-limit 3", "unknown option '--pids-limit'; see x --help"},
		{"+a", "-a -b", "unknown option '-b'; see x --help"},
		{"+a", "--entirely-else one", "unknown option '--entirely-else'; see x --help"},
		{"+a", "-a --seconds", "option '--seconds' wants a value"},
		{"+a", "--json=1", "option '--json' takes no value"},
		{"a", "one --jso=", "option '--jso' takes no value"},
		{"a", "one --jsn", "unknown option '--jsn'; did you mean '--json'?"},
		{"a", "one two --seconds", "option '--seconds' wants a value"},
		{"a", "one -b", "unknown option '-b'; see x --help"},
		{"a", "one -ba two", "unknown option '-ba'; see x --help"},
		{"a", "one -ab --seconds=3", "unknown option '-ab'; see x --help"},
		{"a", "one --seconds=3 -ba", "unknown option '-ba'; see x --help"},
		{"a", "one --json -jba", "unknown option '-jba'; see x --help"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(parse(cases[i][0], cases[i][1]), cases[i][2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/options.h"
#include "base/str.h"

#include <getopt.h>
#include <stdio.h>

static bool all, json;
static const char *mems;
static unsigned seconds;
static char taken[32];

static int take(const struct option_row *o, const char *value, struct err *err)
{
	if (str_eq(value, "bad"))
		return err_set(err, EINVAL, "-%c '%s': not that", o->letter, value);
	strcat(o->to, value);
	return 0;
}

static const struct option_row rows[] = {
	{"all", 'a', .flag = &all},
	{"help", 'h'},
	{"json", .flag = &json},
	{"mems", .text = &mems},
	{"seconds", 's', .number = &seconds, .min = 1, .max = 60},
	{NULL, 'D', .take = take, .to = taken},
	{0},
};

// What a command line set, or what is wrong with it.
static const char *parse(bool anywhere, const char *words)
{
	static char got[128];
	static struct err err;
	char copy[128], *argv[16] = {(char *)"x"}, *save = NULL;
	int argc = 1, r;

	all = json = false;
	mems = NULL;
	seconds = 0;
	taken[0] = '\0';
	strcpy(copy, words);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	r = options_read(argc, argv, anywhere, rows, "x --help", &err);
	if (r < 0)
		return err.msg;
	if (r > 0)
		return "help";
	snprintf(
		got,
		sizeof(got),
		"%s%s%s%u%s",
		all ? "a" : "",
		json ? "j" : "",
		mems != NULL ? mems : "",
		seconds,
		taken
	);
	for (int i = optind; i < argc; i++)
		str_add(got, sizeof(got), " ", "%s", argv[i]);
	return got;
}

static void takes(void **)
{
	assert_string_equal(parse(false, "-a --json --seconds=3 one --json"), "aj3 one --json");
	assert_string_equal(parse(true, "one --json -- -a"), "j0 one -a");
	assert_string_equal(parse(false, ""), "0");
	assert_string_equal(parse(false, "--mems 0-1 -s60 -Dx -D y"), "0-160xy");
	assert_string_equal(parse(true, "one -s 1 two --js"), "j1 one two");
	assert_string_equal(parse(false, "-a --help --no-such"), "help");
	assert_string_equal(parse(false, "-ah"), "help");
}

static void refuses(void **)
{
	static const struct {
		bool anywhere;
		const char *words, *says;
	} cases[] = {
		{false, "--jsn", "unknown option '--jsn'; did you mean '--json'?"},
		{false, "--sceonds=3", "unknown option '--sceonds'; did you mean '--seconds'?"},
		{false, "--nodes 1", "unknown option '--nodes'; here it is '--mems'"},
		{false, "--node=1", "unknown option '--node'; here it is '--mems'"},
		// of which this command has no word
		{false, "--pids-limit 3", "unknown option '--pids-limit'; see x --help"},
		{false, "-a -b", "unknown option '-b'; see x --help"},
		{false, "--entirely-else one", "unknown option '--entirely-else'; see x --help"},
		{false, "-a --seconds", "option '--seconds' wants a value"},
		{false, "-a -D", "option '-D' wants a value"},
		{false, "--json=1", "option '--json' takes no value"},
		{true, "one --jso=", "option '--jso' takes no value"},
		{true, "one --jsn", "unknown option '--jsn'; did you mean '--json'?"},
		{true, "one two --seconds", "option '--seconds' wants a value"},
		{true, "one -b", "unknown option '-b'; see x --help"},
		{true, "one -ba two", "unknown option '-ba'; see x --help"},
		{true, "one -ab --seconds=3", "unknown option '-ab'; see x --help"},
		{true, "one --seconds=3 -ba", "unknown option '-ba'; see x --help"},
		{true, "one --json -aba", "unknown option '-aba'; see x --help"},
		{false, "--seconds 0", "--seconds '0': a number from 1 to 60"},
		{false, "-s 61", "--seconds '61': a number from 1 to 60"},
		{false, "-s +1", "--seconds '+1': a number from 1 to 60"},
		{false, "-s 1s", "--seconds '1s': a number from 1 to 60"},
		{false, "-Dbad --jsn", "-D 'bad': not that"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(parse(cases[i].anywhere, cases[i].words), cases[i].says);
}

static void adds(void **)
{
	struct option_row more[OPTIONS_MAX + 1] = {{NULL, 'D'}};

	for (int i = 0; i < 2 * OPTIONS_MAX; i++)
		options_add(more, &(struct option_row){i == 0 ? "first" : "more"});
	assert_string_equal(more[1].name, "first");
	assert_string_equal(more[OPTIONS_MAX - 1].name, "more");
	assert_null(more[OPTIONS_MAX].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(adds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

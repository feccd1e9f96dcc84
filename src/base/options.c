// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/options.h"

#include "base/hint.h"
#include "base/scope.h"
#include "base/str.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// What other programs call it, where that is not spelt alike.
static const char *const other_words[][2] = {
	{"nodes", "mems"},
	{"node", "mems"},
	{"numa", "mems"},
	{"numa-node", "mems"},
	{"cpuset-mems", "mems"},
	{"mem", "memory"},
	{"cores", "cpus"},
	{"lcores", "cpus"},
	{"cpuset-cpus", "cpus"},
	{"pids-limit", "pids"},
	{"device", "nic"},
};

// Ours of the words, if the command has it, else NULL.
static const char *in_our_words(const char *word, const struct option *longs)
{
	for (size_t i = 0; i < ARRAY_LEN(other_words); i++) {
		for (const struct option *o = longs; o->name != NULL; o++) {
			if (str_eq(word, other_words[i][0]) && str_eq(o->name, other_words[i][1]))
				return o->name;
		}
	}
	return NULL;
}

static int unknown(char *word, const struct option *longs, const char *help, struct err *err)
{
	char buf[HINT_MAX] = "";
	const char *ours;

	word[strcspn(word, "=")] = '\0';
	ours = str_starts(word, "--") ? in_our_words(word + 2, longs) : NULL;
	if (ours != NULL)
		snprintf(buf, sizeof(buf), "; here it is '--%s'", ours);
	else if (str_starts(word, "--"))
		hint_table(buf, "--", word + 2, longs, SIZE_MAX);
	if (buf[0] != '\0')
		err_set(err, EINVAL, "unknown option '%s'%s", word, buf);
	else
		err_set(err, EINVAL, "unknown option '%s'; see %s", word, help);
	return '?';
}

// "--json=1": getopt_long(3) says of it what it says of the letter of --json.
static bool has_a_value(const char *word, const struct option *longs)
{
	size_t n = strcspn(word, "=");

	for (const struct option *o = longs; str_starts(word, "--") && o->name != NULL; o++) {
		if (o->val == optopt && word[n] == '=' && strncmp(o->name, word + 2, n - 2) == 0)
			return true;
	}
	return false;
}

int options_next(
	int argc,
	char **argv,
	const char *shorts,
	const struct option *longs,
	const char *help,
	struct err *err
)
{
	char quiet[64], word[128];
	bool stop = *shorts == '+';
	int at = optind > 0 ? optind : 1, c;

	// ":" tells a missing argument from an unknown option
	snprintf(quiet, sizeof(quiet), "%s:%s", stop ? "+" : "", shorts + stop);
	opterr = 0;
	c = getopt_long(argc, argv, quiet, longs, NULL);
	if (c != '?' && c != ':')
		return c;
	// one that is behind operands has been moved before them; a letter that others follow is not behind optind yet
	if (!stop) {
		const char *before = argv[optind - 1];

		at = optind - 1;
		if (c == '?' && optopt != 0 && !has_a_value(before, longs)
		    && (before[0] != '-' || before[strlen(before) - 1] != optopt))
			at = optind;
	}
	snprintf(word, sizeof(word), "%s", at < argc && argv[at] != NULL ? argv[at] : "");
	if (c == '?' && (!str_starts(word, "--") || optopt == 0))
		return unknown(word, longs, help, err);
	if (c == '?') { // a known one, with a value
		word[strcspn(word, "=")] = '\0';
		err_set(err, EINVAL, "option '%s' takes no value", word);
		return '?';
	}
	err_set(err, EINVAL, "option '%s' wants a value", word);
	return '?';
}

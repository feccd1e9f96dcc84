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
#include <stdlib.h>
#include <string.h>

#define FIRST_ROW \
	256 // what getopt_long gives for a long name: beyond all letters, the index of its row

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

// As getopt_long, but for what it says of what is wrong.
static int next(
	int argc,
	char **argv,
	const char *shorts,
	const struct option *longs,
	const char *help,
	struct err *err
)
{
	int at = optind > 0 ? optind : 1, c = getopt_long(argc, argv, shorts, longs, NULL);
	char word[128];

	if (c != '?' && c != ':')
		return c;
	// one that is behind operands has been moved before them; a letter that others follow is not behind optind yet
	if (*shorts != '+') {
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

static bool is_row(const struct option_row *o)
{
	return o->name != NULL || o->letter != '\0';
}

void options_add(struct option_row *rows, const struct option_row *row)
{
	size_t n = 0;

	while (is_row(&rows[n]))
		n++;
	if (n < OPTIONS_MAX)
		rows[n] = *row;
}

static int take_number(const struct option_row *o, const char *value, struct err *err)
{
	char *end;
	unsigned long v = strtoul(value, &end, 10);

	if (*end != '\0' || *value < '0' || *value > '9' || v < o->min || v > o->max)
		return err_set(
			err,
			EINVAL,
			"--%s '%s': a number from %u to %u",
			o->name,
			value,
			o->min,
			o->max
		);
	*o->number = (unsigned)v;
	return 0;
}

static int take(const struct option_row *o, const char *value, struct err *err)
{
	if (o->take != NULL)
		return o->take(o, value, err);
	if (o->number != NULL)
		return take_number(o, value, err);
	if (o->text != NULL)
		*o->text = value;
	else if (o->flag != NULL)
		*o->flag = true;
	else
		return 1;
	return 0;
}

int options_read(
	int argc,
	char **argv,
	bool anywhere,
	const struct option_row *rows,
	const char *help,
	struct err *err
)
{
	struct option longs[OPTIONS_MAX + 1] = {0}, *to = longs;
	// ":" tells a missing argument from an unknown option
	char shorts[2 * OPTIONS_MAX + 3] = "+:";
	int c, r = 0;

	if (anywhere)
		strcpy(shorts, ":");
	for (int i = 0; i < OPTIONS_MAX && is_row(&rows[i]); i++) {
		const struct option_row *o = &rows[i];
		bool value = o->text != NULL || o->number != NULL || o->take != NULL;

		if (o->name != NULL)
			*to++ = (struct option){o->name, value, NULL, FIRST_ROW + i};
		if (o->letter != '\0')
			str_add(shorts, sizeof(shorts), "", "%c%s", o->letter, value ? ":" : "");
	}
	optind = 0;
	opterr = 0;
	while (r == 0 && (c = next(argc, argv, shorts, longs, help, err)) != -1) {
		int i = c >= FIRST_ROW ? c - FIRST_ROW : 0;

		if (c == '?')
			return -err->code;
		while (c < FIRST_ROW && rows[i].letter != c)
			i++;
		r = take(&rows[i], optarg, err);
	}
	return r;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/command.h"

#include "base/scope.h"
#include "base/str.h"

#include <stddef.h>
#include <string.h>

// Options with a value: "--root DIR", "--root=DIR", "-b DIR", "-bDIR". Others have none, or one behind "=".
struct valued {
	const char *name;
	char letter; // 0: none
	size_t at;   // in struct command; NOWHERE: skipped
};

#define NOWHERE ((size_t)-1)
#define FIELD(f) offsetof(struct command, f)

// Before the command; of crun 1.8 and runc 1.1.
static const struct valued global[] = {
	{"root", 0, FIELD(root)},
	{"log", 0, FIELD(log)},
	{"log-format", 0, FIELD(log_format)},
	{"log-level", 0, NOWHERE},
	{"cgroup-manager", 0, NOWHERE},
	{"criu", 0, NOWHERE},
	{"rootless", 0, NOWHERE},
	{NULL},
};

// Of create and run.
static const struct valued making[] = {
	{"bundle", 'b', FIELD(bundle)},
	{"config", 'f', FIELD(config)},
	{"console-socket", 0, NOWHERE},
	{"pid-file", 0, NOWHERE},
	{"pidfd-socket", 0, NOWHERE},
	{"preserve-fds", 0, NOWHERE},
	{NULL},
};

// The other commands have their container first, or after options without values.
static const struct valued none[] = {{NULL}};

static bool is_option(const char *word, const struct valued *v, const char **value)
{
	size_t n = strlen(v->name);

	*value = NULL;
	if (str_starts(word, "--") && strncmp(word + 2, v->name, n) == 0) {
		if (word[2 + n] == '=')
			*value = word + 2 + n + 1;
		return word[2 + n] == '\0' || word[2 + n] == '=';
	}
	if (v->letter == 0 || word[0] != '-' || word[1] != v->letter)
		return false;
	if (word[2] != '\0')
		*value = word + 2 + (word[2] == '=');
	return true;
}

// Takes the options from argv[i] on; returns where the first other word is, or argc.
static int options(
	int argc, char *const *argv, int i, const struct valued *known, struct command *ret
)
{
	for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		if (str_eq(argv[i], "--"))
			return i + 1;
		for (const struct valued *v = known; v->name != NULL; v++) {
			const char *value;

			if (!is_option(argv[i], v, &value))
				continue;
			if (value == NULL && i + 1 < argc)
				value = argv[++i];
			if (v->at != NOWHERE)
				*(const char **)((char *)ret + v->at) = value;
			break;
		}
	}
	return i;
}

bool command_makes(const struct command *c)
{
	return c->name != NULL && (str_eq(c->name, "create") || str_eq(c->name, "run"));
}

void command_read(int argc, char *const *argv, struct command *ret)
{
	int i;

	*ret = (struct command){0};
	i = options(argc, argv, 1, global, ret);
	if (i >= argc)
		return;
	ret->name = argv[i];
	i = options(argc, argv, i + 1, command_makes(ret) ? making : none, ret);
	if (i < argc)
		ret->id = argv[i];
}

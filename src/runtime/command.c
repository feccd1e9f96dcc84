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

// Of create, run and restore; of checkpoint, which shares some with the last.
static const struct valued making[] = {
	{"bundle", 'b', FIELD(bundle)},
	{"config", 'f', FIELD(config)},
	{"console-socket", 0, NOWHERE},
	{"pid-file", 0, FIELD(pid_file)},
	{"pidfd-socket", 0, NOWHERE},
	{"preserve-fds", 0, NOWHERE},
	{"empty-ns", 0, NOWHERE},
	{"image-path", 0, NOWHERE},
	{"lsm-mount-context", 0, NOWHERE},
	{"lsm-profile", 0, NOWHERE},
	{"manage-cgroups-mode", 0, NOWHERE},
	{"network-lock", 0, NOWHERE},
	{"page-server", 0, NOWHERE},
	{"parent-path", 0, NOWHERE},
	{"status-fd", 0, NOWHERE},
	{"work-path", 0, NOWHERE},
	{NULL},
};

static const struct valued updating[] = {
	{"cpuset-cpus", 0, FIELD(cpus)},
	{"cpuset-mems", 0, FIELD(mems)},
	{"resources", 'r', FIELD(resources)},
	{"blkio-weight", 0, NOWHERE},
	{"cpu-burst", 0, NOWHERE},
	{"cpu-idle", 0, NOWHERE},
	{"cpu-period", 0, NOWHERE},
	{"cpu-quota", 0, NOWHERE},
	{"cpu-rt-period", 0, NOWHERE},
	{"cpu-rt-runtime", 0, NOWHERE},
	{"cpu-share", 0, NOWHERE},
	{"kernel-memory", 0, NOWHERE},
	{"kernel-memory-tcp", 0, NOWHERE},
	{"l3-cache-schema", 0, NOWHERE},
	{"mem-bw-schema", 0, NOWHERE},
	{"memory", 0, NOWHERE},
	{"memory-reservation", 0, NOWHERE},
	{"memory-swap", 0, NOWHERE},
	{"pids-limit", 0, NOWHERE},
	{NULL},
};

// The other commands have their container first, or after options without values.
static const struct valued none[] = {{NULL}};

static const struct {
	const char *name;
	const struct valued *options;
} commands[] = {
	{"create", making},
	{"run", making},
	{"restore", making},
	{"checkpoint", making},
	{"update", updating},
};

// crun takes the beginning of a name for all of it where no other one begins so, and refuses it otherwise
// (getopt_long(3)); so a name comes before longer ones that it begins.
static bool is_option(const char *word, const struct valued *v, const char **value)
{
	size_t n = str_starts(word, "--") ? strcspn(word + 2, "=") : 0;

	*value = NULL;
	if (n > 0 && strncmp(word + 2, v->name, n) == 0) {
		if (word[2 + n] == '=')
			*value = word + 2 + n + 1;
		return true;
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
		const char *word = argv[i];

		for (const struct valued *v = known; v->name != NULL; v++) {
			const char *value;

			if (!is_option(argv[i], v, &value))
				continue;
			if (value == NULL && i + 1 < argc)
				value = argv[++i];
			if (v->at != NOWHERE)
				*(const char **)((char *)ret + v->at) = value;
			word = NULL;
			break;
		}
		if (word != NULL
		    && ((word[1] == '-' && str_starts("--detach", word)) || str_eq(word, "-d")))
			ret->detached = true;
	}
	return i;
}

bool command_is(const struct command *c, const char *name)
{
	return c->name != NULL && str_eq(c->name, name);
}

bool command_makes(const struct command *c)
{
	return command_is(c, "create") || command_is(c, "run") || command_is(c, "restore");
}

static const struct valued *options_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (str_eq(name, commands[i].name))
			return commands[i].options;
	}
	return none;
}

void command_read(int argc, char *const *argv, struct command *ret)
{
	int i;

	*ret = (struct command){0};
	i = options(argc, argv, 1, global, ret);
	if (i >= argc)
		return;
	ret->name = argv[i];
	i = options(argc, argv, i + 1, options_of(ret->name), ret);
	if (i < argc)
		ret->id = argv[i];
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/command.h"

#include "base/scope.h"
#include "base/str.h"

#include <stddef.h>
#include <string.h>

// "--root DIR", "--root=DIR", "-b DIR". Of crun (argp) also "-bDIR", "-db DIR" and "--roo DIR"; of runc (Go's flag
// package) "-root DIR" and "-d=false".
struct option {
	const char *name;
	char letter; // 0: none
	bool flag;   // has no value, or one behind "="
	size_t at;   // in struct command
};

#define NOWHERE ((size_t)-1)
#define MANAGER ((size_t)-2) // says who manages cgroups
#define FIELD(f) offsetof(struct command, f)

// Before the command; of crun 1.8 and runc 1.1.
static const struct option global[] = {
	{"root", 0, false, FIELD(root)},
	{"log", 0, false, FIELD(log)},
	{"log-format", 0, false, FIELD(log_format)},
	{"log-level", 0, false, NOWHERE},
	{"cgroup-manager", 0, false, MANAGER},
	{"systemd-cgroup", 0, true, MANAGER},
	{"criu", 0, false, NOWHERE},
	{"rootless", 0, false, NOWHERE},
	{NULL},
};

// Of create, run and restore; of checkpoint, which shares some with the last.
static const struct option making[] = {
	{"bundle", 'b', false, FIELD(bundle)},
	{"config", 'f', false, FIELD(config)},
	{"console-socket", 0, false, NOWHERE},
	{"detach", 'd', true, FIELD(detached)},
	{"pid-file", 0, false, FIELD(pid_file)},
	{"pidfd-socket", 0, false, NOWHERE},
	{"preserve-fds", 0, false, NOWHERE},
	{"empty-ns", 0, false, NOWHERE},
	{"image-path", 0, false, NOWHERE},
	{"lsm-mount-context", 0, false, NOWHERE},
	{"lsm-profile", 0, false, NOWHERE},
	{"manage-cgroups-mode", 0, false, NOWHERE},
	{"network-lock", 0, false, NOWHERE},
	{"page-server", 0, false, NOWHERE},
	{"parent-path", 0, false, NOWHERE},
	{"status-fd", 0, false, NOWHERE},
	{"work-path", 0, false, NOWHERE},
	{NULL},
};

static const struct option updating[] = {
	{"cpuset-cpus", 0, false, FIELD(cpus)},
	{"cpuset-mems", 0, false, FIELD(mems)},
	{"resources", 'r', false, FIELD(resources)},
	{"blkio-weight", 0, false, NOWHERE},
	{"cpu-burst", 0, false, NOWHERE},
	{"cpu-idle", 0, false, NOWHERE},
	{"cpu-period", 0, false, NOWHERE},
	{"cpu-quota", 0, false, NOWHERE},
	{"cpu-rt-period", 0, false, NOWHERE},
	{"cpu-rt-runtime", 0, false, NOWHERE},
	{"cpu-share", 0, false, NOWHERE},
	{"kernel-memory", 0, false, NOWHERE},
	{"kernel-memory-tcp", 0, false, NOWHERE},
	{"l3-cache-schema", 0, false, NOWHERE},
	{"mem-bw-schema", 0, false, NOWHERE},
	{"memory", 0, false, NOWHERE},
	{"memory-reservation", 0, false, NOWHERE},
	{"memory-swap", 0, false, NOWHERE},
	{"pids-limit", 0, false, NOWHERE},
	{NULL},
};

// The other commands have their container first, or after options without values.
static const struct option none[] = {{NULL}};

static const struct {
	const char *name;
	const struct option *options;
} commands[] = {
	{"create", making},
	{"run", making},
	{"restore", making},
	{"checkpoint", making},
	{"update", updating},
};

struct found {
	const struct option *option; // NULL: none that is known here
	const char *value;	     // NULL: none
	int words;		     // how many it is
};

static const struct option *by_letter(const struct option *known, char letter)
{
	for (; known->name != NULL; known++) {
		if (known->letter == letter)
			return known;
	}
	return NULL;
}

// exact: or else a beginning will do. crun takes one for all of it where no other option begins so, and refuses it
// otherwise (getopt_long(3)); so a name comes before longer ones that it begins.
static const struct option *by_name(
	const struct option *known, const char *word, size_t len, bool exact
)
{
	for (; known->name != NULL && len > 0; known++) {
		if (strncmp(word, known->name, len) == 0 && (!exact || known->name[len] == '\0'))
			return known;
	}
	return NULL;
}

// "-d", "-bDIR", "-db": what the last of them is, with those before noted in *ret.
static const struct option *letters(
	const char *word, const struct option *known, const char **value, struct command *ret
)
{
	for (word++; *word != '\0'; word++) {
		const struct option *o = by_letter(known, *word);

		if (o == NULL || !o->flag) {
			*value = word[1] == '\0' ? NULL : word + 1 + (word[1] == '=');
			return o;
		}
		if (o->at == FIELD(detached))
			ret->detached = true;
	}
	return NULL;
}

// What argv[i] is, which begins with a dash.
static struct found look(
	char *const *argv,
	int i,
	enum grammar grammar,
	const struct option *known,
	struct command *ret
)
{
	const char *word = argv[i], *name = word + 1 + (word[1] == '-');
	size_t len = strcspn(name, "=");
	struct found f = {.value = name[len] == '=' ? name + len + 1 : NULL, .words = 1};

	if (grammar == GRAMMAR_GO && len == 1)
		f.option = by_letter(known, name[0]);
	else if (grammar == GRAMMAR_GO || word[1] == '-')
		f.option = by_name(known, name, len, grammar == GRAMMAR_GO);
	else
		f.option = letters(word, known, &f.value, ret);
	if (f.option != NULL && !f.option->flag && f.value == NULL) {
		f.value = argv[i + 1];
		f.words += f.value != NULL;
	}
	return f;
}

static void note(const struct found *f, struct command *ret)
{
	size_t at = f->option != NULL ? f->option->at : NOWHERE;

	if (at == FIELD(detached)) // what Go's ParseBool() takes for true
		ret->detached = f->value == NULL || strchr("1tT", f->value[0]) != NULL;
	else if (at != NOWHERE && at != MANAGER)
		*(const char **)((char *)ret + at) = f->value;
}

bool command_is(const struct command *c, const char *name)
{
	return c->name != NULL && str_eq(c->name, name);
}

bool command_makes(const struct command *c)
{
	return command_is(c, "create") || command_is(c, "run") || command_is(c, "restore");
}

static const struct option *options_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (str_eq(name, commands[i].name))
			return commands[i].options;
	}
	return none;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0' && !str_eq(word, "--");
}

void command_read(char *const *argv, enum grammar grammar, struct command *ret)
{
	const struct option *known;
	int i = 1;

	*ret = (struct command){.argv = argv};
	while (argv[i] != NULL && is_option(argv[i])) {
		struct found f = look(argv, i, grammar, global, ret);

		note(&f, ret);
		i += f.words;
	}
	if (argv[i] != NULL && str_eq(argv[i], "--"))
		i++;
	if (argv[i] == NULL)
		return;
	ret->name = argv[i++];
	known = options_of(ret->name);
	// runc takes options behind its container too
	while (argv[i] != NULL && (ret->id == NULL || grammar == GRAMMAR_GO)) {
		struct found f = {.words = 1};

		if (str_eq(argv[i], "--")) {
			if (ret->id == NULL)
				ret->id = argv[i + 1];
			return;
		}
		if (is_option(argv[i]))
			f = look(argv, i, grammar, known, ret);
		else if (ret->id == NULL)
			ret->id = argv[i];
		note(&f, ret);
		i += f.words;
	}
}

void command_without_manager(char *const *argv, enum grammar grammar, char **ret)
{
	struct command unused;
	int i = 1;

	*ret++ = argv[0];
	while (argv[i] != NULL && is_option(argv[i])) {
		struct found f = look(argv, i, grammar, global, &unused);

		for (int k = 0; k < f.words; k++, i++) {
			if (f.option == NULL || f.option->at != MANAGER)
				*ret++ = argv[i];
		}
	}
	while (argv[i] != NULL)
		*ret++ = argv[i++];
	*ret = NULL;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/flush.h"
#include "base/hint.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/wrap.h"
#include "client/commands.h"
#include "run.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static const char help[] =
	"Usage: drover run [OPTION...] FILE     forward, generate, measure\n"
	"       drover check [OPTION...] FILE   everything but traffic; what it needs\n"
	"       drover explain [OPTION...] FILE cores, tasks, rings and ports as a drawing\n"
	"       drover modes [--json] [MODE]    what tasks can do, and their keys\n"
	"       drover ask [OPTION...] REQUEST  asks a running drover, or has it do something\n"
	"       drover top [OPTION...]          a live view of a running drover\n"
	"       drover trace [OPTION...] TASK [N] what becomes of the next packets of tasks\n\n"
	"Options of run, check and explain:\n"
	"  -D NAME=VALUE       a variable of the configuration, or a key of [defaults] or "
	"[global],\n"
	"                      as in -D 'start time=0'\n"
	"  --port NAME=DEVICE  the device of a port, by its name or number, as in\n"
	"                      --port if0=memif:server:/run/x.sock\n"
	"  --duration TIME     stop after that: 10s, 500ms\n"
	"  --squeeze           put more cores on the granted CPUs than there are (for tests)\n"
	"  --no-huge           ordinary memory instead of hugepages\n"
	"  --dump-dir DIR      mode=dump writes below it; default: the configuration's folder\n"
	"  --file-prefix NAME  EAL's; default drover-PID\n"
	"  --log-level LEVEL   DPDK's messages: debug, info, notice, warning, error; of one part "
	"of "
	"it,\n"
	"                      lib.eal:debug, pmd.net.*:info. More than once\n"
	"  --json              the report at the end as JSON; of check: the grant, for\n"
	"                      pinfold run --from\n";

static int fail(const struct err *err, int status)
{
	fprintf(stderr, "drover: %s\n", err->msg);
	return status;
}

// "name=value": cuts the text, a word of the command line, at the "=".
static int split(
	const char *text, const char *option, const char **name, const char **value, struct err *err
)
{
	char *eq = (char *)strchr(text, '=');

	if (eq == NULL || eq == text)
		return err_set(err, EINVAL, "%s '%s': write NAME=VALUE", option, text);
	*eq = '\0';
	*name = text;
	*value = eq + 1;
	return 0;
}

// "[COMPONENT:]LEVEL", as EAL has it.
static int take_log(const struct option_row *row, const char *text, struct err *err)
{
	struct run_options *o = row->to;
	static const char *const levels[] = {
		"emergency",
		"alert",
		"critical",
		"error",
		"warning",
		"notice",
		"info",
		"debug",
		NULL,
	};
	const char *colon = strrchr(text, ':'), *level = colon != NULL ? colon + 1 : text;
	char buf[HINT_MAX];
	size_t part = colon != NULL ? (size_t)(colon - text) : 0;

	if (colon != NULL
	    && (part == 0 || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._*-") != part))
		return err_set(
			err,
			EINVAL,
			"--log-level '%.60s': '%.*s' is no part of DPDK, as lib.eal or pmd.* is",
			text,
			(int)(part < 40 ? part : 40),
			text
		);
	for (size_t i = 0; levels[i] != NULL; i++) {
		if (!str_eq(levels[i], level))
			continue;
		if (o->nlogs == ARRAY_LEN(o->logs))
			return err_set(err, E2BIG, "--log-level: too many");
		o->logs[o->nlogs++] = text;
		return 0;
	}
	hint(buf, level, levels);
	return err_set(
		err,
		EINVAL,
		"--log-level '%.60s': '%.20s' is no level%s",
		text,
		level,
		buf[0] != '\0' ? buf : ": emergency to debug"
	);
}

static int take_variable(const struct option_row *row, const char *text, struct err *err)
{
	struct conf_overrides *v = row->to;

	if (v->nvars == ARRAY_LEN(v->vars))
		return err_set(err, E2BIG, "-D: too many");
	if (split(text, "-D", &v->vars[v->nvars].name, &v->vars[v->nvars].value, err) < 0)
		return -err->code;
	v->nvars++;
	return 0;
}

static int take_port(const struct option_row *row, const char *text, struct err *err)
{
	struct conf_overrides *v = row->to;

	if (v->nports == ARRAY_LEN(v->ports))
		return err_set(err, E2BIG, "--port: too many");
	if (split(text, "--port", &v->ports[v->nports].port, &v->ports[v->nports].device, err) < 0)
		return -err->code;
	v->nports++;
	return 0;
}

static int take_duration(const struct option_row *row, const char *text, struct err *err)
{
	static const struct key duration = {.name = "--duration", .kind = &kind_time};

	return key_parse(&duration, text, row->to, err);
}

// It becomes the name of a directory, which is removed at the end.
static int take_prefix(const struct option_row *row, const char *text, struct err *err)
{
	if (text[0] == '\0' || text[0] == '.' || strpbrk(text, "/%") != NULL)
		return err_set(
			err,
			EINVAL,
			"--file-prefix '%s': a name without '/' and '%%', that does not "
			"begin with '.'",
			text
		);
	*(const char **)row->to = text;
	return 0;
}

// Reads and draws; starts nothing.
static int explain(const struct run_options *o, struct err *err)
{
	struct conf *c = NULL;

	if (conf_read(o->file, &o->overrides, &c, err) < 0)
		return -err->code;
	conf_explain(c);
	conf_free(c);
	return 0;
}

static int cmd_run(int argc, char **argv)
{
	static struct run_options o;
	static const struct option_row rows[] = {
		{NULL, 'D', .take = take_variable, .to = &o.overrides},
		{"dump-dir", .text = &o.dump_dir},
		{"duration", .take = take_duration, .to = &o.duration},
		{"file-prefix", .take = take_prefix, .to = &o.prefix},
		{"help", 'h'},
		{"json", .flag = &o.json},
		{"log-level", .take = take_log, .to = &o},
		{"no-huge", .flag = &o.no_huge},
		{"port", .take = take_port, .to = &o.overrides},
		{"squeeze", .flag = &o.squeeze},
		{0},
	};
	struct err err;
	int r = options_read(argc, argv, true, rows, "drover --help", &err);

	if (r > 0) {
		wrap_print(help);
		return EXIT_OK;
	}
	if (r < 0)
		return fail(&err, EXIT_USAGE);
	o.check = str_eq(argv[0], "check");
	o.overrides.no_devices = str_eq(argv[0], "explain");
	if (argc - optind != 1) {
		err_set(&err, EINVAL, "%s: name one configuration file; see drover --help", argv[0]
		);
		return fail(&err, EXIT_USAGE);
	}
	o.file = argv[optind];
	if (o.overrides.no_devices ? explain(&o, &err) < 0 : drover_run(&o, &err) < 0)
		return fail(&err, EXIT_FAILED);
	return EXIT_OK;
}

static int cmd_modes(int argc, char **argv)
{
	const char *name = NULL;
	bool json = false;
	struct err err;

	if (argc == 2 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h"))) {
		wrap_print(help);
		return EXIT_OK;
	}
	for (int i = 1; i < argc; i++) {
		if (str_eq(argv[i], "--json")) {
			json = true;
			continue;
		}
		if (argv[i][0] == '-')
			err_set(&err, EINVAL, "modes: '%s' is no option; there is --json", argv[i]);
		else if (name != NULL)
			err_set(&err, EINVAL, "modes: name one mode, or none for all");
		if (argv[i][0] == '-' || name != NULL)
			return fail(&err, EXIT_USAGE);
		name = argv[i];
	}
	return conf_print_modes(name, json, &err) < 0 ? fail(&err, EXIT_USAGE) : EXIT_OK;
}

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{"ask", ask_main},
	{"check", cmd_run},
	{"explain", cmd_run},
	{"modes", cmd_modes},
	{"run", cmd_run},
	{"top", top_main},
	{"trace", trace_main},
};

static int command_main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	char buf[HINT_MAX];
	struct err err;

	if (str_eq(command, "--help") || str_eq(command, "-h")) {
		wrap_print(help);
		return EXIT_OK;
	}
	if (str_eq(command, "--version")) {
		puts("drover " PINFOLD_VERSION);
		return EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (str_eq(commands[i].name, command))
			return commands[i].main(argc - 1, argv + 1);
	}
	hint_table(buf, "", command, commands, ARRAY_LEN(commands));
	if (argc < 2)
		err_set(&err, EINVAL, "no command given; see drover --help");
	else
		err_set(&err,
			EINVAL,
			"unknown command '%s'%s",
			command,
			buf[0] != '\0' ? buf : "; see drover --help");
	return fail(&err, EXIT_USAGE);
}

int main(int argc, char **argv)
{
	int status = command_main(argc, argv);
	struct err err;

	// what was printed may still be here, and nobody has it
	if (flush_stdout(&err) < 0 && status == EXIT_OK)
		return fail(&err, EXIT_FAILED);
	return status;
}

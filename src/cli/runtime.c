// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold runtime: engines are told of pinfold-runtime.

#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "launch/launch.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static const char help[] =
	"Usage: pinfold runtime configure ENGINE [OPTION...]\n"
	"\n"
	"Tells an engine (containerd, crio, docker, podman) of the runtime pinfold, and shows "
	"what\n"
	"changes in its configuration. What it was before is kept beside it, in "
	"FILE.before-pinfold.\n"
	"\n"
	"  --dry-run    show what would change, and write nothing\n"
	"  --remove     take it out again\n"
	"  --default    docker: also for containers that name no runtime, as those of Swarm\n"
	"  --file FILE  the configuration, where it is not at its usual place\n";

struct configure {
	struct engine_want want;
	const char *engine, *file;
	bool dry;
};

static int parse(int argc, char **argv, struct configure *c, struct err *err)
{
	const struct option_row rows[] = {
		{"default", .flag = &c->want.usual},
		{"dry-run", .flag = &c->dry},
		{"file", .text = &c->file},
		{"help", 'h'},
		{"remove", .flag = &c->want.remove},
		{0},
	};
	int r = cli_options(argc, argv, rows, help, err);

	if (r != 0)
		return r;
	if (optind < argc)
		c->engine = argv[optind++];
	if (optind < argc)
		return err_set(err, EINVAL, "runtime configure: '%s' is no option", argv[optind]);
	if (c->engine == NULL)
		return err_set(
			err, EINVAL, "runtime configure: say containerd, crio, docker or podman"
		);
	return 0;
}

static int change(const struct configure *c, const struct engine *engine, struct err *err)
{
	const char *file = c->file != NULL ? c->file : engine->file;
	_cleanup_free_ char *before = NULL, *after = NULL;

	if (engine_read(file, &before, err) < 0
	    || engine->edit(before, file, &c->want, &after, err) < 0)
		return -err->code;
	if (str_eq(before, after)) {
		printf("'%s' stays as it is\n", file);
		return 0;
	}
	engine_print_change(file, before, after, stdout);
	if (c->dry)
		return 0;
	if (geteuid() != 0 && c->file == NULL)
		return err_set(err, EPERM, "runtime configure: this needs root; use sudo");
	if (engine_write(file, before, after, 0, err) < 0)
		return -err->code;
	if (engine->restart != NULL)
		printf("then: %s\n", engine->restart);
	return 0;
}

static int configure(int argc, char **argv)
{
	_cleanup_free_ char *runtime = launch_find_beside("", "pinfold-runtime");
	const struct engine *engine;
	struct configure c = {0};
	struct err err;
	int r = parse(argc, argv, &c, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	engine = engine_find(c.engine, &err);
	if (engine == NULL)
		return cli_fail(&err);
	if (c.want.usual && !engine->can_be_usual)
		return cli_refuse(
			"runtime configure: --default is for docker; name the runtime for "
			"containers of %s",
			engine->name
		);
	if (runtime == NULL && !c.want.remove)
		return cli_refuse("find pinfold-runtime beside this program; install it");
	c.want.runtime = runtime;
	return change(&c, engine, &err) < 0 ? cli_fail(&err) : STATUS_OK;
}

static const struct command commands[] = {
	{"configure", configure, .helps = true},
	{0},
};

int cmd_runtime(int argc, char **argv)
{
	return cli_group(&(struct group){"runtime", help, NULL, commands}, argc, argv);
}

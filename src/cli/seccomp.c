// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold seccomp: the filter of system calls, for people, and one made to measure.

#include "plan/seccomp.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "grant/caps.h"
#include "run/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: pinfold seccomp show [--cap NAME]... [--json|--markdown]\n"
	"       pinfold seccomp record [-o|--output FILE] [OPTION...] [--] PROGRAM [ARG...]\n\n"
	"show    what the default profile allows, and why\n"
	"record  runs a program as pinfold run does, with the default profile, and writes a "
	"profile of\n"
	"        exactly the calls it made: pinfold run --seccomp=strict:FILE allows no others\n";

static const char record_help[] =
	"Usage: pinfold seccomp record [-o|--output FILE] [OPTION...] [--] PROGRAM [ARG...]\n\n"
	"  -o, --output FILE       default: PROGRAM.seccomp.json\n\n"
	"The program is slower meanwhile. What it does not do in this run is not in the profile: "
	"let it\n"
	"do all it can, and end it as it will be ended.\n\n";

static int show(int argc, char **argv)
{
	struct request req = {0};
	bool json = false, markdown = false;
	const struct option_row rows[] = {
		{"cap", .take = cli_take_flag, .to = &req},
		{"json", .flag = &json},
		{"markdown", .flag = &markdown},
		{0},
	};
	struct err err;

	if (cli_options(argc, argv, rows, NULL, &err) < 0)
		return cli_fail(&err);
	if (optind < argc)
		return cli_refuse("seccomp show: '%s' is no option", argv[optind]);
	if (json) {
		_cleanup_json_ json_t *doc = seccomp_table_to_json(req.caps);

		cli_print_json(doc);
	} else if (markdown) {
		seccomp_print_markdown(stdout);
	} else {
		seccomp_print_text(req.caps, stdout);
	}
	return STATUS_OK;
}

// ---- record

// Where the profile goes, opened before the program runs: a misspelt directory is told at once.
struct output {
	char *path, *name;
	int dir;
};

static void output_done(struct output *o)
{
	free(o->path);
	scope_close(&o->dir);
}

static int output_open(const char *given, const char *program, struct output *ret, struct err *err)
{
	const char *base = strrchr(program, '/');
	struct output o = {.dir = -1};
	char *slash;

	o.path = given != NULL ? strdup(given)
			       : str_printf("%s.seccomp.json", base != NULL ? base + 1 : program);
	if (o.path == NULL)
		return err_oom(err);
	slash = strrchr(o.path, '/');
	o.name = slash != NULL ? slash + 1 : o.path;
	if (slash == NULL) {
		o.dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		char kept = slash[1];

		slash[1] = '\0';
		o.dir = open(o.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		slash[1] = kept;
	}
	if (o.dir < 0 || o.name[0] == '\0') {
		err_sys(err, o.dir < 0 ? errno : EISDIR, "write '%s'", o.path);
		output_done(&o);
		return -err->code;
	}
	*ret = o;
	return 0;
}

static int write_profile(
	const struct output *o, const json_t *profile, unsigned calls, struct err *err
)
{
	_cleanup_free_ char *text = json_dumps(profile, JSON_INDENT(2));
	_cleanup_free_ char *line = text != NULL ? str_printf("%s\n", text) : NULL;
	_cleanup_json_ json_t *base = seccomp_default(0);

	if (line == NULL)
		return err_oom(err);
	if (fs_write_atomic(o->dir, o->name, line, strlen(line), 0644, err) < 0)
		return -err->code;
	fprintf(stderr,
		"pinfold: '%s': %u system calls; the default profile allows %u\n",
		o->path,
		calls,
		seccomp_count(base));
	return 0;
}

static int check_record(const struct cli_start *cs, struct err *err)
{
	if (cs->launch.argv[0] == NULL)
		return err_set(err, EINVAL, "no program given; see pinfold seccomp record --help");
	if (cs->launch.site.place != PLACE_CONTAINER)
		return err_set(err, EINVAL, "seccomp record: --in host has no filter");
	if (cs->launch.detached)
		return err_set(
			err, EINVAL, "seccomp record waits for the end of the program: leave -d out"
		);
	if (cs->request.seccomp[0] != '\0')
		return err_set(
			err,
			EINVAL,
			"seccomp record works with the default profile: leave --seccomp out"
		);
	if (geteuid() != 0)
		return err_set(err, EPERM, "run needs root: it makes cgroups and mounts; use sudo");
	return 0;
}

static int record_run(struct cli_start *cs, int *ret_status, struct err *err)
{
	scope_cleanup(output_done) struct output out = {.dir = -1};
	_cleanup_json_ json_t *profile = NULL;
	struct recorder r;
	unsigned calls = 0;

	if (output_open(cs->output, cs->launch.argv[0], &out, err) < 0
	    || recorder_start(&r, err) < 0)
		return -err->code;
	cs->launch.seccomp_listener = r.socket;
	*ret_status = cli_supervise(cs, -1);
	if (recorder_end(&r, &profile, &calls, err) < 0)
		return -err->code;
	if (profile == NULL)
		return 0; // it did not start, as has been said
	return write_profile(&out, profile, calls, err);
}

static int record(int argc, char **argv)
{
	struct cli_start cs = {0};
	int status = STATUS_OK, r;
	struct err err;

	r = cli_parse_start(argc, argv, CLI_START_RECORD, &cs, &err);
	if (r > 0) {
		cli_print_grant_help(record_help, true, launch_help);
		return STATUS_OK;
	}
	if (r == 0)
		r = check_record(&cs, &err);
	if (r == 0)
		r = record_run(&cs, &status, &err);
	launch_done(&cs.launch);
	return r < 0 ? cli_fail(&err) : status;
}

int cmd_seccomp(int argc, char **argv)
{
	static const struct command commands[] = {
		{"show", show},
		{"record", record, .helps = true},
		{0},
	};

	return cli_group(&(struct group){"seccomp", help, NULL, commands}, argc, argv);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold plan: the same way to a plan as pinfold run.

#include "plan/plan.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/request.h"

#include <stdio.h>
#include <string.h>

static const char plan_help[] =
	"Usage: pinfold plan [OPTION...] [--format text|json|oci|qemu] [--] [PROGRAM [ARG...]]\n\n"
	"Shows everything that pinfold run with the same options would do. Changes nothing.\n\n";

// For a plan without a program.
static char *const no_program[] = {(char *)"PROGRAM", NULL};

// A line an option, as a shell takes them.
static void print_words(const json_t *words)
{
	const json_t *e;
	size_t i;

	json_array_foreach (words, i, e) {
		const char *s = json_string_value(e);
		_cleanup_free_ char *word = str_quote(s);

		if (i > 0)
			fputs(s[0] == '-' ? " \\\n\t" : " ", stdout);
		fputs(word != NULL ? word : "", stdout);
	}
	putchar('\n');
}

static int print_plan(const struct plan *p, const char *format, struct err *err)
{
	json_t *doc;

	if (format == NULL || str_eq(format, "text")) {
		plan_print(p, stdout);
	} else if (str_eq(format, "json")) {
		doc = plan_to_json(p);
		cli_print_json(doc);
		json_decref(doc);
	} else if (str_eq(format, "oci")) {
		doc = plan_config(p);
		if (doc == NULL)
			return err_set(err, EINVAL, "--format oci: --in host has no container");
		cli_print_json(doc);
		json_decref(doc);
	} else if (str_eq(format, "qemu")) {
		if (p->qemu == NULL)
			return err_set(err, EINVAL, "--format qemu: only --in vm has a QEMU");
		print_words(p->qemu);
	} else {
		return err_set(err, EINVAL, "--format '%s': text, json, oci or qemu", format);
	}
	return 0;
}

int cmd_plan(int argc, char **argv)
{
	struct cli_start cs = {0};
	struct start_request req;
	struct hostfs fs;
	struct start s;
	struct err err;
	int r = cli_parse_start(argc, argv, CLI_START_PLAN, &cs, &err), status;

	if (r < 0)
		return cli_fail(&err);
	if (r > 0) {
		cli_print_grant_help(plan_help, true, launch_help);
		return STATUS_OK;
	}
	if (cli_open_host(&fs, &err) < 0)
		return cli_fail(&err);
	fs.real = false; // only look: no lock, no clean-up, no directory made
	r = cli_complete(&cs, &fs, false, &status, &err);
	if (cs.launch.argv[0] == NULL)
		cs.launch.argv = no_program;
	cs.launch.look = true;
	req = (struct start_request){&cs.request, cs.definition, cs.launch};
	if (r == 0)
		r = start_prepare(&req, &fs, &s, &err);
	if (r == 0) {
		r = print_plan(&s.plan, cs.format, &err);
		start_done(&s);
	}
	hostfs_close(&fs);
	launch_done(&cs.launch);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold cdi: grants as devices of the Container Device Interface.

#include "base/jdoc.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "engine/engine.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"Usage: pinfold cdi generate [-o FILE|-]\n"
	"\n"
	"The grants that are made with --claim-by=cdi or kubernetes, as devices\n"
	"pinfold.dev/grant=NAME; those of kubernetes with a token that only kubelet is told.\n"
	"\n"
	"  -o, --output FILE  default: " CDI_FILE ", which grant create and grant remove\n"
	"                     write anew; -: standard output\n";

static int write_to(const struct ledger *l, const char *file, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *text = NULL;

	if (file == NULL)
		return cdi_refresh(l, err);
	if (cdi_document(l, &doc, err) < 0)
		return -err->code;
	if (json_is_null(doc))
		return err_set(
			err,
			ENOENT,
			"cdi generate: no grant is made to be claimed so: pinfold grant create "
			"--claim-by=cdi"
		);
	text = jdoc_print_lines(doc);
	if (text == NULL)
		return err_oom(err);
	if (str_eq(file, "-"))
		return fputs(text, stdout) < 0 ? err_sys(err, errno, "write") : 0;
	return engine_write(file, "", text, CDI_MODE, err);
}

static int generate(int argc, char **argv)
{
	const char *file = NULL;
	const struct option_row rows[] = {{"help", 'h'}, {"output", 'o', .text = &file}, {0}};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = cli_options(argc, argv, rows, help, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (optind < argc)
		return cli_refuse("cdi generate: '%s' is no option", argv[optind]);
	r = cli_open_real(true, &fs, &l, &err);
	if (r < 0)
		return cli_fail(&err);
	r = ledger_lock(&l, &err);
	if (r == 0)
		r = write_to(&l, file, &err);
	cli_close_real(&fs, &l);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}

static const struct command commands[] = {
	{"generate", generate, .helps = true},
	{0},
};

int cmd_cdi(int argc, char **argv)
{
	return cli_group(&(struct group){"cdi", help, NULL, commands}, argc, argv);
}

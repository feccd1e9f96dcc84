// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold grant: definitions that outlive a reboot.

#include "cli/grant.h"

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/request.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: pinfold grant create --name NAME [--pool] [--count N|max] [--dry-run] [GRANT "
	"FLAG...]\n"
	"       pinfold grant start NAME...|--all\n"
	"       pinfold grant stop NAME...|--all\n"
	"       pinfold grant list [--json]\n"
	"       pinfold grant show [--json] NAME\n"
	"       pinfold grant remove NAME...\n\n"
	"Named grants are kept in " ETC_DIR
	"/grants.d and hold what they name until they are removed.\n"
	"  --pool                  CPUs that several grants may share (--shared-cpus)\n"
	"  --count N|max           N equal grants, NAME-1 to NAME-N; all of them or none. max: as "
	"many\n"
	"                          as fit, each on one NUMA node\n"
	"  --reserve LIST|memory=SIZE\n"
	"                          CPUs that none of them gets, memory that all leave, for the "
	"host\n"
	"  --dry-run [--json]      show them, what limits them and what is left; nothing is made\n"
	"  --claim-by HOW[,HOW]     containers of engines may name it: by annotation, cdi, env,\n"
	"                           or kubelet hands it out: kubernetes\n"
	"  --owner USER[:GID]      that user may run programs in it, without root, through a\n"
	"                          keeper: create starts it, and after a reboot start does\n\n";

json_t *grant_pages_text(const struct grant *g)
{
	char text[512] = "", size[SIZE_STR];

	for (unsigned i = 0; i < g->nhugepages; i++)
		str_add(text,
			sizeof(text),
			" ",
			"%s=%llu@%d%s",
			size_format(g->hugepages[i].size, size),
			(unsigned long long)g->hugepages[i].count,
			g->hugepages[i].node,
			g->hugepages[i].anon ? ",anon" : "");
	return json_string(text);
}

// A row for people; the same data as the document, flattened.
static json_t *row_of(const struct grant *g, bool live)
{
	json_t *row = grant_to_json(g);

	json_object_set_new(row, "pages", grant_pages_text(g));
	json_object_set_new(row, "nic_count", json_integer(g->nnics));
	json_object_set_new(row, "in_use", json_boolean(live));
	return row;
}

struct listing {
	const struct ledger *l;
	json_t *rows;
	bool json;
};

static int list_one(const struct grant *g, void *arg, struct err *err)
{
	struct listing *ls = arg;
	json_t *row = ls->json ? grant_to_json(g) : row_of(g, lease_exists(ls->l, g->name));

	(void)err;
	if (ls->json)
		json_object_set_new(row, "in-use", json_boolean(lease_exists(ls->l, g->name)));
	json_array_append_new(ls->rows, row);
	return 0;
}

static int want_json(int argc, char **argv, bool *json, struct err *err)
{
	const struct option_row rows[] = {{"json", .flag = json}, {0}};

	return cli_options(argc, argv, rows, NULL, err);
}

static int open_ledger(struct hostfs *fs, struct ledger *l, struct err *err)
{
	if (cli_open_host(fs, err) < 0)
		return -err->code;
	if (ledger_open(fs, false, l, err) < 0) {
		hostfs_close(fs);
		return -err->code;
	}
	return 0;
}

static int list(int argc, char **argv)
{
	static const char *const keys[] = {
		"name",
		"kind",
		"cpus",
		"shared-pool",
		"mems",
		"pages",
		"memory",
		"nic_count",
		"in_use",
		NULL,
	};
	struct listing ls = {.rows = json_array()};
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = want_json(argc, argv, &ls.json, &err);

	if (r == 0 && optind < argc)
		r = err_set(&err, EINVAL, "grant list: '%s' is no option", argv[optind]);
	if (r == 0)
		r = open_ledger(&fs, &l, &err);
	if (r == 0) {
		ls.l = &l;
		r = definition_each(&l, list_one, &ls, &err);
		cli_print_rows(ls.rows, keys, ls.json); // the readable ones in any case
		ledger_close(&l);
		hostfs_close(&fs);
	}
	json_decref(ls.rows);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}

static int show(int argc, char **argv)
{
	_cleanup_json_ json_t *doc = NULL;
	struct hostfs fs;
	struct ledger l;
	struct grant g;
	bool json = false; // the document is the text: one form for both
	struct err err;
	int r = want_json(argc, argv, &json, &err);

	if (r == 0 && argc - optind != 1)
		r = err_set(&err, EINVAL, "grant show: name one grant");
	if (r == 0)
		r = open_ledger(&fs, &l, &err);
	if (r == 0) {
		r = definition_read(&l, argv[optind], &g, &err);
		if (r == 0) {
			doc = grant_to_json(&g);
			cli_print_json(doc);
		}
		ledger_close(&l);
		hostfs_close(&fs);
	}
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}

static void print_flags(void)
{
	cli_print_grant_help("", false, "");
}

int cmd_grant(int argc, char **argv)
{
	static const struct command commands[] = {
		{"create", cmd_grant_create},
		{"start", cmd_grant_start},
		{"stop", cmd_grant_stop},
		{"list", list},
		{"show", show},
		{"remove", cmd_grant_remove},
		{0},
	};

	return cli_group(&(struct group){"grant", help, print_flags, commands}, argc, argv);
}

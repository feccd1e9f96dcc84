// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold doctor: whether this machine is prepared, and what cures it.

#include "doctor/doctor.h"

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/request.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define STATUS_ILL 1

static const char before[] =
	"Usage: pinfold doctor [--json] [--all] [--for GRANT | GRANT FLAG...]\n"
	"\n"
	"Examines whether this machine (or that of --host-tree) is prepared: a line a check, PASS, "
	"WARN,\n"
	"FAIL or SKIP, with where that was read and what cures it. With a grant only what that "
	"needs.\n"
	"Nothing is changed. Exits with 0 when nothing FAILs, 1 when something does, 125 when it "
	"could\n"
	"not be examined.\n"
	"\n"
	"  --json                  all of it, as JSON\n"
	"  --all                   where it was read also of what is in order\n"
	"  --for, --grant GRANT    a grant made by pinfold grant create\n"
	"  --in container|vm|host  where its program is to run\n"
	"\n";

struct args {
	bool json, all, vm;
	const char *definition;
	struct cli_wanted wanted;
};

static int parse(int argc, char **argv, struct args *a, struct err *err)
{
	const char *in = "container";
	struct option_row rows[OPTIONS_MAX + 1] = {
		{"all", .flag = &a->all},
		{"for", .text = &a->definition},
		{"grant", .text = &a->definition},
		{"help", 'h'},
		{"in", .text = &in},
		{"json", .flag = &a->json},
	};
	int r;

	cli_wanted_rows(rows, &a->wanted);
	r = cli_read_options(argc, argv, true, rows, err);
	if (r != 0)
		return r;
	a->vm = str_eq(in, "vm");
	if (!a->vm && !str_eq(in, "container") && !str_eq(in, "host"))
		return err_set(err, EINVAL, "--in '%s': container, vm or host", in);
	if (optind < argc)
		return err_set(
			err,
			EINVAL,
			"doctor: '%s' is no option; a grant is named with --for",
			argv[optind]
		);
	if (a->wanted.any && a->definition != NULL)
		return err_set(
			err,
			EINVAL,
			"--for %s says all of the grant; leave the other grant flags out",
			a->definition
		);
	return 0;
}

// What the program polls on, where no grant is asked for.
static void usual_cpus(struct doctor *d, const struct holdings *others)
{
	for (unsigned i = 0; i < others->n; i++)
		idset_or(&d->cpus, &others->held[i].grant.cpus);
	d->whose = "they are granted";
	if (idset_empty(&d->cpus)) {
		d->cpus = d->host->isolated;
		d->whose = "they are isolated";
	}
	idset_and(&d->cpus, &d->host->online);
}

// A definition is looked at as if it were made anew, beside the others.
static int ask(
	const struct args *a,
	struct doctor *d,
	struct request *wanted,
	struct grant *grant,
	struct err *refusal,
	struct err *err
)
{
	struct holdings others = {0};
	struct ledger l;
	bool open = ledger_open(d->fs, false, &l, err) == 0;
	int r = 0;

	if (a->definition != NULL)
		r = open ? definition_read(&l, a->definition, grant, err) : -err->code;
	// what is not root's to read holds nothing that is known
	if (r == 0 && open && ledger_holdings(&l, a->definition, &others, refusal) < 0 && d->root)
		r = err_set(err, refusal->code, "%s", refusal->msg);
	if (r == 0 && (a->definition != NULL || a->wanted.any)) {
		d->wanted = wanted;
		if (a->definition != NULL) {
			memcpy(wanted, grant, sizeof(struct terms));
			r = grant_validate(grant, d->host, &others, refusal);
		} else {
			if (wanted->name[0] == '\0')
				strcpy(wanted->name, "doctor");
			r = grant_resolve(wanted, d->host, &others, grant, refusal);
		}
		d->refusal = refusal;
		if (r == 0)
			d->grant = grant;
		d->cpus = r == 0 ? grant->cpus : wanted->cpus;
		idset_and(&d->cpus, &d->host->online);
		d->whose = "those of the grant";
		r = 0;
	} else if (r == 0) {
		usual_cpus(d, &others);
	}
	holdings_done(&others);
	if (open)
		ledger_close(&l);
	return r;
}

static void print_text(const json_t *report, bool all)
{
	const json_t *c;
	const char *group = "";
	size_t i;

	json_array_foreach (json_object_get(report, "checks"), i, c) {
		const char *g = json_string_value(json_object_get(c, "group")),
			   *verdict = json_string_value(json_object_get(c, "verdict")),
			   *read = json_string_value(json_object_get(c, "read")),
			   *cure = json_string_value(json_object_get(c, "cure"));
		bool fine = str_eq(verdict, "PASS");

		if (!str_eq(g, group))
			printf("%s%s\n", i > 0 ? "\n" : "", g);
		group = g;
		printf("  %s  %-21s %s\n",
		       verdict,
		       json_string_value(json_object_get(c, "check")),
		       json_string_value(json_object_get(c, "found")));
		if (read != NULL && (all || !fine))
			printf("        read  %s\n", read);
		if (cure != NULL && (all || !fine))
			printf("        cure  %s\n", cure);
	}
	printf("\n%d passed, %d warned, %d failed, %d skipped\n",
	       (int)json_integer_value(json_object_get(report, "passed")),
	       (int)json_integer_value(json_object_get(report, "warned")),
	       (int)json_integer_value(json_object_get(report, "failed")),
	       (int)json_integer_value(json_object_get(report, "skipped")));
	if (!json_is_true(json_object_get(report, "root")))
		printf("not as root: what is granted, locked or of other users was not seen\n");
}

int cmd_doctor(int argc, char **argv)
{
	_cleanup_json_ json_t *report = NULL;
	struct args a = {0};
	struct doctor d = {0};
	struct grant grant;
	struct host host = {0};
	struct hostfs fs;
	struct err err, refusal;
	int r = parse(argc, argv, &a, &err);

	if (r < 0)
		return cli_fail(&err);
	if (r > 0) {
		cli_print_grant_help(before, false, "");
		return STATUS_OK;
	}
	if (cli_open_host(&fs, &err) < 0)
		return cli_fail(&err);
	r = host_read(&fs, HOST_PCI | HOST_SHARING, &host, &err);
	if (r == 0) {
		d.fs = &fs;
		d.host = &host;
		d.root = !fs.real || geteuid() == 0;
		d.vm = a.vm;
		r = ask(&a, &d, &a.wanted.request, &grant, &refusal, &err);
	}
	if (r == 0)
		r = doctor_examine(&d, &report, &err);
	host_done(&host);
	hostfs_close(&fs);
	if (r < 0)
		return cli_fail(&err);
	if (a.json)
		cli_print_json(report);
	else
		print_text(report, a.all);
	return d.count[VERDICT_FAIL] > 0 ? STATUS_ILL : STATUS_OK;
}

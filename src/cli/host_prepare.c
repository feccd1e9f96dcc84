// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold host prepare and pinfold host undo.

#include "prepare/prepare.h"

#include "base/jread.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/request.h"

#include <getopt.h>
#include <stdio.h>

static const char prepare_usage[] =
	"Usage: pinfold host prepare [--dry-run] [--json] [--hugepages SIZE=COUNT[@NODE]]...\n"
	"                            [--cpus LIST] [--module NAME]...\n"
	"\n"
	"Prepares this machine while it runs; pinfold host undo takes it back, and so does a "
	"boot.\n"
	"The controller of hugepages is mounted where cgroup v1 lacks it.\n"
	"\n"
	"  --hugepages SIZE=COUNT[@NODE]  so many there are to be\n"
	"  --cpus LIST                    interrupts and threads of the kernel are moved to "
	"others\n"
	"  --module NAME                  is loaded, as vfio-pci\n"
	"  --dry-run                      shows what would be done; nothing is changed\n"
	"  --json                         the same as JSON\n"
	"\n"
	"What could not be moved is listed, and what the kernel's command line would have to say.";

static const char undo_usage[] =
	"Usage: pinfold host undo [--json]\n"
	"\n"
	"Takes back what pinfold host prepare did, also one that was interrupted.";

struct args {
	struct prepare_want want;
	bool dry, json, help;
};

static int parse(int argc, char **argv, struct args *a, struct err *err)
{
	static const struct option longs[] = {
		{"cpus", required_argument, NULL, 'c'},
		{"dry-run", no_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{"hugepages", required_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},
		{"module", required_argument, NULL, 'm'},
		{0},
	};
	int c, r = 0;

	optind = 0;
	while (r == 0 && (c = cli_getopt(argc, argv, "hn", longs, err)) != -1) {
		switch (c) {
		case 'c':
			r = request_set_flag(&a->want.request, "cpus", optarg, err);
			break;
		case 'p':
			r = request_set_flag(&a->want.request, "hugepages", optarg, err);
			break;
		case 'm':
			if (a->want.nmodules == PREPARE_MODULES)
				return err_set(
					err, E2BIG, "--module: more than %d", PREPARE_MODULES
				);
			a->want.modules[a->want.nmodules++] = optarg;
			break;
		case 'n':
			a->dry = true;
			break;
		case 'j':
			a->json = true;
			break;
		case 'h':
			a->help = true;
			break;
		default:
			r = -err->code;
		}
	}
	if (r == 0 && optind < argc)
		r = err_set(err, EINVAL, "host prepare: '%s' is no option", argv[optind]);
	return r;
}

static void print_failures(const json_t *list, const char *what)
{
	const json_t *row;
	size_t i;

	json_array_foreach ((json_t *)list, i, row)
		printf("%s %s: %s\n",
		       what,
		       json_string_value(json_object_get(row, "name")),
		       json_string_value(json_object_get(row, "why")));
}

static void print(const struct args *a, json_t *steps, json_t *unmovable, const char *words)
{
	static const char *const keys[] = {"do", "path", "value", "former", "name", NULL};
	_cleanup_json_ json_t *doc = json_pack(
		"{s:b, s:O, s:O, s:s}",
		"done",
		!a->dry,
		"steps",
		steps,
		"unmovable",
		unmovable,
		"command-line",
		words
	);

	if (a->json) {
		cli_print_json(doc);
		return;
	}
	if (json_array_size(steps) > 0)
		cli_print_rows(steps, keys, false);
	else
		puts("nothing is left to do");
	json_plain(unmovable);
	print_failures(unmovable, "stays:");
	if (words[0] != '\0')
		printf("at the next boot, on the kernel's command line: %s\n", words);
}

// One at a time: the plan is made under the lock, so that two of them do not take each other's work for what was there. It
// is not the ledger's: a module may take its time, and whoever starts a workload meanwhile need not wait.
static int prepare(const struct args *a, struct err *err)
{
	_cleanup_close_ int lock = -1;
	_cleanup_json_ json_t *steps = json_array(), *unmovable = json_array();
	_cleanup_free_ char *words = NULL;
	struct ledger l = {.defs = -1, .leases = -1, .lock = -1};
	struct hostfs fs;
	struct host h;
	int r = cli_open_host(&fs, err);

	if (r < 0)
		return r;
	if (!a->dry) {
		r = ledger_open(&fs, true, &l, err);
		if (r == 0)
			r = ledger_lock_file(&l, PREPARE_LOCK, &lock, err);
	}
	if (r == 0)
		r = host_read(&fs, 0, &h, err);
	if (r == 0) {
		r = prepare_plan(&a->want, &h, &fs, steps, unmovable, err);
		words = prepare_cmdline(&a->want, &h, &fs);
		host_done(&h);
	}
	if (r == 0 && words == NULL)
		r = err_oom(err);
	if (r == 0 && !a->dry && json_array_size(steps) > 0)
		r = prepare_take(&l, steps, unmovable, err);
	if (!a->dry)
		ledger_close(&l);
	hostfs_close(&fs);
	if (r == 0)
		print(a, steps, unmovable, words);
	return r;
}

int cmd_host_prepare(int argc, char **argv)
{
	struct args a = {0};
	struct err err;

	if (parse(argc, argv, &a, &err) < 0)
		return cli_fail(&err);
	if (a.help) {
		puts(prepare_usage);
		return STATUS_OK;
	}
	if (cli_host_tree != NULL && !a.dry)
		return cli_refuse("host prepare changes this machine only; say --dry-run with "
				  "--host-tree");
	if (geteuid() != 0 && !a.dry)
		return cli_refuse("host prepare needs root; use sudo, or look with --dry-run");
	return prepare(&a, &err) < 0 ? cli_fail(&err) : STATUS_OK;
}

static int find_lease(const struct lease *lease, void *arg, struct err *err)
{
	(void)arg;
	return err_set(
		err,
		EBUSY,
		"host undo: '%s' uses what was prepared; first: pinfold %s %s",
		lease->grant.name,
		lease->site.place == PLACE_KEEPER ? "grant stop" : "stop",
		lease->grant.name
	);
}

// Beside nobody who starts a workload, too: it would have what is taken back.
static int undo(json_t *failed, unsigned *ret, struct err *err)
{
	_cleanup_close_ int lock = -1;
	struct hostfs fs;
	struct ledger l;
	int r = cli_open_real(true, &fs, &l, err);

	if (r < 0)
		return r;
	r = ledger_lock_file(&l, PREPARE_LOCK, &lock, err);
	if (r == 0)
		r = ledger_lock(&l, err);
	// what is over must not keep it
	if (r == 0)
		r = gc_leases(&l, NULL, err);
	if (r == 0)
		r = lease_each(&l, find_lease, NULL, err);
	if (r == 0)
		r = prepare_undo(&l, failed, ret, err);
	cli_close_real(&fs, &l);
	return r;
}

int cmd_host_undo(int argc, char **argv)
{
	_cleanup_json_ json_t *failed = json_array();
	bool json = false, help;
	unsigned n = 0;
	struct err err;

	if (cli_simple_options(argc, argv, undo_usage, &json, &help, &err) < 0)
		return cli_fail(&err);
	if (help)
		return STATUS_OK;
	if (undo(failed, &n, &err) < 0)
		return cli_fail(&err);
	if (json) {
		_cleanup_json_ json_t *doc =
			json_pack("{s:i, s:O}", "undone", (int)n, "failed", failed);

		cli_print_json(doc);
	} else {
		json_plain(failed);
		print_failures(failed, "stays:");
		printf("%u taken back\n", n);
	}
	return json_array_size(failed) > 0 ? 1 : STATUS_OK;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold host prepare and pinfold host undo.

#include "prepare/prepare.h"

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/request.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char prepare_usage[] =
	"Usage: pinfold host prepare [--dry-run] [--json] [--hugepages SIZE=COUNT[@NODE]]...\n"
	"                            [--cpus LIST] [--module NAME]... [--persist]\n"
	"\n"
	"Prepares this machine while it runs; pinfold host undo takes it back, and so does a "
	"boot,\n"
	"unless with --persist.\n"
	"The controller of hugepages is mounted where cgroup v1 lacks it.\n"
	"\n"
	"  --hugepages SIZE=COUNT[@NODE]  so many there are to be\n"
	"  --cpus LIST                    interrupts and threads of the kernel are moved to "
	"others\n"
	"  --module NAME                  is loaded, as vfio-pci\n"
	"  --persist                      is done at each boot, too: by a unit of systemd, and "
	"by\n"
	"                                 words for GRUB; in place of what was before\n"
	"  --dry-run                      shows what would be done; nothing is changed\n"
	"  --json                         the same as JSON\n"
	"\n"
	"What could not be moved is listed, and what the kernel's command line would have to say.";

static const char undo_usage[] =
	"Usage: pinfold host undo [--json]\n"
	"\n"
	"Takes back what pinfold host prepare did, also one that was interrupted, and what it did\n"
	"for later boots.";

struct args {
	struct prepare_want want;
	bool dry, json, persist;
};

// '-' and '_' are one in names of modules.
static bool same_module(const char *a, const char *b)
{
	for (; *a != '\0'; a++, b++) {
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	}
	return *b == '\0';
}

static int take_module(const struct option_row *o, const char *value, struct err *err)
{
	struct prepare_want *want = o->to;

	if (want->nmodules == PREPARE_MODULES)
		return err_set(err, E2BIG, "--module: more than %d", PREPARE_MODULES);
	for (unsigned i = 0; i < want->nmodules; i++) {
		if (same_module(want->modules[i], value))
			return 0;
	}
	want->modules[want->nmodules++] = value;
	return 0;
}

static int parse(int argc, char **argv, struct args *a, struct err *err)
{
	const struct option_row rows[] = {
		{"cpus", .take = cli_take_flag, .to = &a->want.request},
		{"dry-run", 'n', .flag = &a->dry},
		{"help", 'h'},
		{"hugepages", .take = cli_take_flag, .to = &a->want.request},
		{"json", .flag = &a->json},
		{"module", .take = take_module, .to = &a->want},
		{"persist", .flag = &a->persist},
		{0},
	};
	int r = cli_options(argc, argv, rows, prepare_usage, err);

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

// What there is for later boots.
struct later {
	char *words;	 // for the kernel's command line
	char *overruled; // what is there already and counts in their place
	char *unit;
	json_t *files; // that have them
};

static void later_done(struct later *l)
{
	free(l->words);
	free(l->overruled);
	free(l->unit);
	json_decref(l->files);
}

static bool has_file(const json_t *files, const char *path)
{
	const json_t *f;
	size_t i;

	json_array_foreach ((json_t *)files, i, f) {
		if (str_eq(json_string_value(f), path))
			return true;
	}
	return false;
}

static void print_tuned(const struct prepare_want *want)
{
	const struct host_tuned *t = &want->tuned;
	char cure[TUNED_CURE_LEN], list[IDSET_STR];

	if (idset_empty(&want->request.cpus))
		return;
	if (t->active && !t->known)
		printf("tuned's profile %s has isolated_cores='%s', and which CPUs these are it "
		       "says once it has booted with that: interrupts, threads, unbound work and "
		       "nohz_full are left to it\n",
		       t->profile,
		       t->cores);
	else if (t->active)
		printf("tuned's profile %s keeps CPUs %s free: interrupts, threads, unbound work "
		       "and "
		       "nohz_full are left to it\n",
		       t->profile,
		       idset_format(&t->isolated, list, sizeof(list)));
	else if (t->profile[0] != '\0')
		printf("tuned does not run, though its profile %s is chosen: nothing is left to "
		       "it\n",
		       t->profile);
	else if (t->installed)
		printf("tuned is here: its profile cpu-partitioning could do this instead: %s\n",
		       host_tuned_cure(t, &want->request.cpus, cure));
}

static void print_later(const struct args *a, const struct later *l)
{
	bool grub = has_file(l->files, PREPARE_GRUB);

	if (has_file(l->files, PREPARE_UNIT))
		printf("at each boot, by %s: the same\n", PREPARE_UNIT);
	if (l->words[0] != '\0')
		printf("at the next boot, on the kernel's command line%s%s: %s\n",
		       grub	    ? ", by "
		       : a->persist ? " (here is no GRUB that would put it there)"
				    : "",
		       grub ? PREPARE_GRUB : "",
		       l->words);
	if (l->overruled[0] != '\0')
		printf("the kernel's command line has others of these already, and they count: %s; "
		       "take them out, as of GRUB_CMDLINE_LINUX in /etc/default/grub\n",
		       l->overruled);
}

static void print(const struct args *a, json_t *steps, json_t *unmovable, const struct later *l)
{
	static const char *const keys[] = {"do", "path", "value", "former", "name", NULL};
	_cleanup_json_ json_t *doc = json_pack(
		"{s:b, s:O, s:O, s:s, s:s, s:s?, s:O}",
		"done",
		!a->dry,
		"steps",
		steps,
		"unmovable",
		unmovable,
		"command-line",
		l->words,
		"overruled",
		l->overruled,
		"tuned",
		a->want.tuned.active ? a->want.tuned.profile : NULL,
		"files",
		l->files
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
	print_tuned(&a->want);
	print_later(a, l);
}

// The texts of all of it.
static int plan(
	const struct args *a,
	const struct hostfs *fs,
	json_t *steps,
	json_t *unmovable,
	struct later *later,
	struct err *err
)
{
	char program[PATH_MAX] = "";
	struct host h;
	int r = host_read(fs, 0, &h, err);

	if (r < 0)
		return r;
	r = prepare_plan(&a->want, &h, fs, steps, unmovable, err);
	if (r == 0) {
		later->words = prepare_cmdline(&a->want, a->persist, &h, fs);
		later->overruled = prepare_overruled(&a->want, &h, fs);
	}
	host_done(&h);
	if (r < 0)
		return r;
	if (later->words == NULL || later->overruled == NULL)
		return err_oom(err);
	if (!a->persist)
		return 0;
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return err_sys(err, errno, "--persist: read link '/proc/self/exe'");
	later->unit = prepare_unit(&a->want, program, err);
	if (later->unit == NULL)
		return -err->code;
	return fs->real ? prepare_check_program(program, err) : 0;
}

static void say_by_hand(void)
{
	fputs("pinfold: '" PREPARE_GRUB
	      "' has changed: make GRUB's configuration anew (there is no " PREPARE_UPDATE_GRUB
	      " here)\n",
	      stderr);
}

static int keep(const struct args *a, int root, struct later *later, struct err *err)
{
	int r = 0;

	if (!a->dry)
		r = prepare_keep(
			root, PREPARE_UPDATE_GRUB, later->unit, later->words, later->files, err
		);
	else if (json_array_append_new(later->files, json_string(PREPARE_UNIT)) == 0 && later->words[0] != '\0' && prepare_has_grub(root))
		json_array_append_new(later->files, json_string(PREPARE_GRUB));
	if (r < 0)
		return err_wrap(
			err,
			"it is prepared until the next boot, and nothing new is kept for later ones"
		);
	if (r > 0)
		say_by_hand();
	return 0;
}

// One at a time: the plan is made under the lock, so that two of them do not take each other's work for what was there. It
// is not the ledger's: a module may take its time, and whoever starts a workload meanwhile need not wait.
static int prepare(struct args *a, struct err *err)
{
	_cleanup_close_ int lock = -1;
	_cleanup_json_ json_t *steps = json_array(), *unmovable = json_array();
	struct later later = {.files = json_array()};
	struct ledger l = {.defs = -1, .leases = -1, .lock = -1};
	struct hostfs fs;
	int r = cli_open_host(&fs, err);

	if (r == 0) {
		if (!a->dry) {
			r = ledger_open(&fs, true, &l, err);
			if (r == 0)
				r = ledger_lock_file(&l, PREPARE_LOCK, &lock, err);
		}
		if (r == 0 && a->persist && !a->dry)
			r = prepare_can_keep(fs.root, err);
		host_tuned(&fs, &a->want.tuned);
		if (r == 0)
			r = plan(a, &fs, steps, unmovable, &later, err);
		if (r == 0 && !a->dry && json_array_size(steps) > 0)
			r = prepare_take(&l, steps, unmovable, err);
		if (r == 0 && a->persist)
			r = keep(a, fs.root, &later, err);
		if (!a->dry)
			ledger_close(&l);
		hostfs_close(&fs);
	}
	if (r == 0)
		print(a, steps, unmovable, &later);
	later_done(&later);
	return r;
}

int cmd_host_prepare(int argc, char **argv)
{
	struct args a = {0};
	struct err err;
	int r = parse(argc, argv, &a, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
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

static void add_failed(json_t *failed, const char *name, const struct err *why)
{
	json_array_append_new(failed, json_pack("{s:s, s:s}", "name", name, "why", why->msg));
}

static void forget(int root, json_t *failed, json_t *removed)
{
	struct err why;
	int r = prepare_forget(root, PREPARE_UPDATE_GRUB, removed, &why);

	if (r < 0)
		add_failed(failed, "what is for later boots", &why);
	if (r > 0)
		say_by_hand();
}

// Beside nobody who starts a workload, too: it would have what is taken back. What is for later boots nobody has now, and
// GRUB's program may take minutes: others need not wait for that.
static int undo(json_t *failed, json_t *removed, unsigned *ret, struct err *err)
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
	// what cannot be read of this boot keeps nothing for later ones
	if (r == 0 && prepare_undo(&l, failed, ret, err) < 0)
		add_failed(failed, "what was prepared in this boot", err);
	ledger_unlock(&l);
	if (r == 0)
		forget(l.fs.root, failed, removed);
	cli_close_real(&fs, &l);
	return r;
}

int cmd_host_undo(int argc, char **argv)
{
	_cleanup_json_ json_t *failed = json_array(), *removed = json_array();
	bool json = false;
	const json_t *path;
	unsigned n = 0;
	struct err err;
	size_t i;
	int r = cli_simple_options(argc, argv, undo_usage, &json, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (undo(failed, removed, &n, &err) < 0)
		return cli_fail(&err);
	if (json) {
		_cleanup_json_ json_t *doc = json_pack(
			"{s:i, s:O, s:O}", "undone", (int)n, "failed", failed, "removed", removed
		);

		cli_print_json(doc);
	} else {
		json_plain(failed);
		print_failures(failed, "stays:");
		json_array_foreach (removed, i, path)
			printf("removed: %s\n", json_string_value(path));
		printf("%u taken back\n", n);
	}
	return json_array_size(failed) > 0 ? 1 : STATUS_OK;
}

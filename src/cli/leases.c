// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The commands on workloads that run: ps, stop, exec, logs, gc.

#include "apply/apply.h"
#include "base/jread.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"
#include "run/log.h"
#include "run/run.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

// Options that are only --json and --help, and a usage line.
static int simple_options(
	int argc, char **argv, const char *usage, bool *json, bool *ret_help, struct err *err
)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	*ret_help = false;
	optind = 0;
	while ((c = cli_getopt(argc, argv, "h", longs, err)) != -1) {
		if (c == '?')
			return -err->code;
		if (c == 'h') {
			puts(usage);
			*ret_help = true;
			return 0;
		}
		if (json == NULL)
			return err_set(err, EINVAL, "%s has no --json", argv[0]);
		*json = true;
	}
	if (optind < argc)
		return err_set(err, EINVAL, "%s: '%s' is no option", argv[0], argv[optind]);
	return 0;
}

// ---- ps

#define PS_SECONDS 2 // until a keeper answers

static const char *const told_by_keeper[] = {"state", "seconds", "command"};

struct ps {
	const struct ledger *l;
	json_t *rows;
};

// What its keeper says, if it answers.
static json_t *keeper_row(const char *name)
{
	const struct keeper_request req = {.op = KEEPER_PS};
	struct keeper_reply reply;
	struct err unused;

	return keeper_ask(name, &req, PS_SECONDS, &reply, &unused) == 0 ? reply.row : NULL;
}

// What it lacks of its grant, and that it is frozen: both are to be seen from outside.
static void add_note(
	const struct ledger *l,
	const struct lease *lease,
	bool used,
	const struct offline *o,
	json_t *row
)
{
	char note[OFFLINE_LINE];

	offline_say(o, note, sizeof(note));
	if (used && note[0] == '\0' && lease->place != LEASE_KEEPER && !lease_supervised(l, lease))
		strcpy(note, "its supervisor is gone: only further commands look after its CPUs");
	json_object_set_new(row, "note", json_string(note));
}

static void print_notes(const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row) {
		const char *note = json_string_value(json_object_get(row, "note"));

		if (note != NULL && note[0] != '\0')
			printf("%s: %s\n", json_string_value(json_object_get(row, "name")), note);
	}
}

// "running"; "dead": for the next collection; "draining": with what it holds; "unknown": it cannot be told
// whether anything runs.
static const char *state_of(const struct ledger *l, const struct lease *lease, struct charges *held)
{
	struct err unused;
	int life = lease_life(l, lease, &unused);

	if (life != 0)
		return life > 0 ? "running" : "unknown";
	if (!lease->draining || cgroup_charges(&l->fs, lease, held, &unused) < 0)
		return lease->draining ? "unknown" : "dead";
	return charges_any(held) ? "draining" : "dead";
}

static int ps_one(const struct lease *lease, void *arg, struct err *err)
{
	struct ps *ps = arg;
	struct lease shown = *lease;
	struct charges held = {0};
	const char *state = state_of(ps->l, lease, &held), *command = lease->command;
	bool used = str_eq(state, "running");
	struct offline o = {0};
	char amount[CHARGES_STR];
	json_t *row, *told = NULL;

	(void)err;
	if (used)
		offline_look(&ps->l->fs, lease, &o);
	if (lease->place == LEASE_KEEPER) {
		told = used && !o.frozen ? keeper_row(lease->grant.name) : NULL;
		// the keeper is its owner's: what it says is taken for these three alone
		if (str_eq(state, "running"))
			state = told == NULL ? "no answer" : "idle";
		command = "";
	}
	if (o.frozen)
		state = "frozen";
	if (charges_any(&held))
		command = charges_text(&held, amount);
	// as the ledger counts
	if (lease->draining && !lease->defined)
		shown.grant.cpus = shown.grant.shared_cpus = (struct idset){0};
	row = lease_row(&shown, state, command, lease->started);
	if (charges_any(&held))
		json_object_set_new(
			row,
			"held",
			json_pack(
				"{s:I, s:I}",
				"memory",
				(json_int_t)held.memory,
				"hugepages",
				(json_int_t)held.hugepages
			)
		);
	for (size_t i = 0; told != NULL && i < ARRAY_LEN(told_by_keeper); i++) {
		json_t *value = json_object_get(told, told_by_keeper[i]);

		if (json_typeof(value) == json_typeof(json_object_get(row, told_by_keeper[i])))
			json_object_set(row, told_by_keeper[i], value);
	}
	add_note(ps->l, lease, used, &o, row);
	json_array_append_new(ps->rows, row);
	json_decref(told);
	return 0;
}

// For a user who is not root: the grants that are his.
static void ps_own(const char *name, void *arg)
{
	struct ps *ps = arg;
	json_t *row = keeper_row(name);

	json_array_append_new(
		ps->rows,
		row != NULL ? row
			    : json_pack(
				    "{s:s, s:s, s:s}",
				    "name",
				    name,
				    "state",
				    keeper_frozen(name) ? "frozen" : "dead",
				    "in",
				    "keeper"
			    )
	);
}

int cmd_ps(int argc, char **argv)
{
	static const char *const keys[] = {
		"name",
		"state",
		"in",
		"cpus",
		"nodes",
		"hugepages",
		"memory",
		"seconds",
		"command",
		NULL,
	};
	struct ps ps = {.rows = json_array()};
	bool json = false, help;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = simple_options(argc, argv, "Usage: pinfold ps [--json]", &json, &help, &err);

	if (r == 0 && help)
		return CLI_OK;
	if (r == 0 && geteuid() != 0 && cli_host_tree == NULL) {
		r = keeper_each(ps_own, &ps, &err);
		cli_print_rows(ps.rows, keys, json);
		json_decref(ps.rows);
		return r < 0 ? cli_fail(&err) : CLI_OK;
	}
	if (r == 0)
		r = cli_open_real(false, &fs, &l, &err);
	if (r == 0) {
		ps.l = &l;
		r = lease_each(&l, ps_one, &ps, &err);
		cli_print_rows(ps.rows, keys, json); // the readable ones in any case
		if (!json)
			print_notes(ps.rows);
		cli_close_real(&fs, &l);
	}
	json_decref(ps.rows);
	return r < 0 ? cli_fail(&err) : CLI_OK;
}

// ---- stop

#define STOP_SECONDS 10 // for a keeper to put away what it killed

// What a keeper started ends by its keeper, which goes on.
static int stop_one(const char *name, unsigned seconds, struct err *err)
{
	const struct keeper_request req = {.op = KEEPER_STOP, .seconds = seconds};
	struct keeper_reply reply;
	struct hostfs fs;
	struct ledger l;
	int r;

	if (keeper_serves(name))
		return keeper_ask(name, &req, seconds + STOP_SECONDS, &reply, err);
	if (cli_open_real(true, &fs, &l, err) < 0)
		return -err->code;
	r = stop_workload(&l, name, seconds, err);
	cli_close_real(&fs, &l);
	return r;
}

int cmd_stop(int argc, char **argv)
{
	static const struct option longs[] = {
		{"time", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	unsigned seconds = 10;
	struct err err;
	int c, r = 0;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "t:h", longs, &err)) != -1) {
		char *end;
		unsigned long v;

		if (c == '?')
			return cli_fail(&err);
		if (c == 'h') {
			puts("Usage: pinfold stop [-t SECONDS] NAME...\n"
			     "SIGTERM, and after SECONDS (10) SIGKILL.");
			return CLI_OK;
		}
		v = strtoul(optarg, &end, 10);
		if (*end != '\0' || end == optarg || v > 3600) {
			err_set(&err, EINVAL, "-t '%s': seconds from 0 to 3600", optarg);
			return cli_fail(&err);
		}
		seconds = (unsigned)v;
	}
	if (optind >= argc) {
		err_set(&err, EINVAL, "stop: name at least one workload; see pinfold ps");
		return cli_fail(&err);
	}
	for (int i = optind; i < argc; i++) {
		if (stop_one(argv[i], seconds, &err) < 0)
			r = cli_fail(&err);
	}
	return r;
}

// ---- exec

int cmd_exec(int argc, char **argv)
{
	static const struct option longs[] = {
		{"env", required_argument, NULL, 'e'},
		{"help", no_argument, NULL, 'h'},
		{"interactive", no_argument, NULL, 'i'},
		{"tty", no_argument, NULL, 't'},
		{"user", required_argument, NULL, 'u'},
		{0},
	};
	struct exec_request req = {0};
	struct outcome out = {.status = CLI_FAILED};
	int c, r;
	struct hostfs fs;
	struct ledger l;
	struct err err;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "e:hitu:", longs, &err)) != -1) {
		if (c == 'h') {
			puts("Usage: pinfold exec [-i] [-t] [-e NAME=VALUE] [-u UID[:GID]] NAME "
			     "[--] PROGRAM [ARG...]\n"
			     "It runs on the shared CPUs of the grant when it has some.");
			return CLI_OK;
		}
		if (c == '?'
		    || (c == 'e' && launch_parse_env(optarg, req.env, &req.nenv, &err) < 0))
			return cli_fail(&err);
		req.interactive = req.interactive || c == 'i';
		req.terminal = req.terminal || c == 't';
		if (c == 'u')
			req.user = optarg;
	}
	if (optind < argc)
		req.name = argv[optind++];
	if (optind < argc && str_eq(argv[optind], "--"))
		optind++;
	if (optind >= argc) {
		err_set(&err, EINVAL, "exec: say NAME and PROGRAM; see pinfold exec --help");
		return cli_fail(&err);
	}
	req.argv = argv + optind;
	if (geteuid() != 0 && keeper_serves(req.name))
		return cli_keeper_exec(&req);
	if (cli_open_real(true, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = exec_in_workload(&l, &req, &out, &err);
	cli_close_real(&fs, &l);
	if (r < 0)
		cli_fail(&err);
	return out.status;
}

// ---- logs

static bool still_runs(const struct ledger *l, const char *name)
{
	_cleanup_json_ json_t *row = NULL;
	struct lease lease;
	struct err unused;

	if (!keeper_serves(name))
		return lease_exists(l, name)
		       && !(lease_read(l, name, &lease, &unused) == 0 && lease.draining);
	row = keeper_row(name);
	return row != NULL && str_eq(json_string_value(json_object_get(row, "state")), "running");
}

// For the owner of a grant: the ledger and the log's directory are root's, its keeper has the file.
static int copy_kept_log(const char *name, bool follow, struct err *err)
{
	const struct ledger none = {.defs = -1, .leases = -1, .lock = -1};
	int fds[2], r;

	if (keeper_log(name, fds, err) < 0)
		return -err->code;
	r = log_copy(&none, name, fds, follow ? still_runs : NULL, stdout, err);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	return r;
}

int cmd_logs(int argc, char **argv)
{
	static const struct option longs[] = {
		{"follow", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool follow = false;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int c, r;

	optind = 0;
	while ((c = cli_getopt(argc, argv, "fh", longs, &err)) != -1) {
		if (c == '?')
			return cli_fail(&err);
		if (c == 'h') {
			puts("Usage: pinfold logs [-f] NAME");
			return CLI_OK;
		}
		follow = true;
	}
	if (argc - optind != 1) {
		err_set(&err, EINVAL, "logs: name one workload");
		return cli_fail(&err);
	}
	if (geteuid() != 0 && keeper_serves(argv[optind]))
		return copy_kept_log(argv[optind], follow, &err) < 0 ? cli_fail(&err) : CLI_OK;
	if (name_check("a workload", argv[optind], &err) < 0
	    || cli_open_real(false, &fs, &l, &err) < 0)
		return cli_fail(&err);
	r = log_copy(&l, argv[optind], NULL, follow ? still_runs : NULL, stdout, &err);
	cli_close_real(&fs, &l);
	return r < 0 ? cli_fail(&err) : CLI_OK;
}

// ---- gc

int cmd_gc(int argc, char **argv)
{
	unsigned count = 0;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	bool help;
	int r = simple_options(
		argc,
		argv,
		"Usage: pinfold gc\nTakes back what workloads left that nobody watches any more.",
		NULL,
		&help,
		&err
	);

	if (r == 0 && help)
		return CLI_OK;
	if (r == 0)
		r = cli_open_real(true, &fs, &l, &err);
	if (r < 0)
		return cli_fail(&err);
	r = ledger_lock(&l, &err);
	if (r == 0)
		r = gc_leases(&l, &count, &err);
	cli_close_real(&fs, &l);
	if (r < 0)
		return cli_fail(&err);
	printf("%u cleaned up\n", count);
	return CLI_OK;
}

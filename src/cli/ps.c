// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold ps: the workloads that run, and what is left of those that did; with -a what became of others.

#include "apply/apply.h"
#include "base/columns.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/wrap.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "keeper/keeper.h"

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const told_by_keeper[] = {"state", "seconds", "command", "image"};

struct ps {
	struct ledger *l;
	json_t *rows;
};

// What it lacks of its grant, that it is frozen, which limits it ran into: all to be seen from outside. Who has its
// NICs.
static void add_note(
	const struct ledger *l,
	const struct lease *lease,
	bool used,
	const struct offline *o,
	const struct charges *held,
	const char *unanswered,
	json_t *row
)
{
	char note[HITS_LINE], users[HITS_LINE - 32];
	const struct hits none = {0};
	struct hits hits;

	offline_say(o, note, sizeof(note));
	if (note[0] == '\0' && unanswered != NULL) {
		snprintf(note, sizeof(note), "%.*s", HITS_LINE - 1, unanswered);
	} else if (note[0] == '\0') {
		hits_read(&l->fs, lease, &hits);
		hits_text(&hits, &none, &lease->grant, -1, note);
	}
	if (used && note[0] == '\0' && site_has(&lease->site, SITE_SUPERVISOR)
	    && !lease_supervised(l, lease))
		strcpy(note, "its supervisor is gone: only further commands look after its CPUs");
	nics_users(l, &lease->grant, held->nics, users, sizeof(users));
	if (lease->again == LEASE_WAITING && lease_supervised(l, lease))
		strcpy(note, "it has ended, and is started again soon");
	if (users[0] != '\0')
		snprintf(note, sizeof(note), "used by %s", users);
	json_object_set_new(row, "note", json_string(note));
}

// For people, who would take it for as fast as another.
static void mark_emulated(const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row) {
		if (json_is_true(json_object_get(row, "emulated")))
			json_object_set_new(row, "in", json_string("vm (emulated)"));
	}
}

static void print_notes(const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row) {
		const char *note = json_string_value(json_object_get(row, "note"));
		_cleanup_free_ char *line = NULL;

		if (note == NULL || note[0] == '\0')
			continue;
		line = str_printf(
			"%s: %s\n", json_string_value(json_object_get(row, "name")), note
		);
		if (line != NULL && columns_here(stdout) != SIZE_MAX)
			wrap_print(line);
		else if (line != NULL)
			fputs(line, stdout);
	}
}

// What a lease that is draining still has: under the lock, since whether a NIC is in use is found by opening it,
// and not once the lease is over and its NIC is another's.
static int read_held(
	struct ledger *l, const struct lease *lease, struct charges *ret, struct err *err
)
{
	bool locked = lease->grant.nnics > 0;
	struct lease now;
	int r = locked ? ledger_lock(l, err) : 0;

	if (r < 0)
		return r;
	if (!locked
	    || (lease_read(l, lease->grant.name, &now, err) == 0 && lease_same_run(lease, &now)))
		r = cgroup_charges(&l->fs, lease, ret, err);
	if (locked)
		ledger_unlock(l);
	return r;
}

// "running"; "dead": for the next collection; "draining": with what it holds; "unknown": it cannot be told
// whether anything runs.
static const char *state_of(struct ledger *l, const struct lease *lease, struct charges *held)
{
	struct err unused;
	int life = lease_life(l, lease, &unused);

	if (life > 0 && lease->again == LEASE_WAITING)
		return "waiting";
	if (life != 0)
		return life > 0 ? "running" : "unknown";
	if (!lease->draining || read_held(l, lease, held, &unused) < 0)
		return lease->draining ? "unknown" : "dead";
	return charges_any(held) ? "draining" : "dead";
}

static json_t *held_to_json(const struct charges *held, const struct grant *g)
{
	json_t *nics = json_array();

	for (unsigned i = 0; i < g->nnics; i++) {
		if ((held->nics & UINT64_C(1) << i) != 0)
			json_array_append_new(nics, json_string(g->nics[i].bdf));
	}
	return json_pack(
		"{s:I, s:I, s:o}",
		"memory",
		(json_int_t)held->memory,
		"hugepages",
		(json_int_t)held->hugepages,
		"nics",
		nics
	);
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
	struct err why = {0};

	(void)err;
	if (used)
		offline_look(&ps->l->fs, lease, &o);
	if (lease->site.place == PLACE_KEEPER) {
		told = used && !o.frozen ? cli_keeper_row(lease->grant.name, &why) : NULL;
		// the keeper is its owner's: what it says is taken for these alone
		if (str_eq(state, "running"))
			state = told == NULL ? "no answer" : "idle";
		command = "";
	}
	if (o.frozen)
		state = "frozen";
	if (charges_any(&held))
		command = charges_text(&held, &lease->grant, amount);
	// as the ledger counts
	if (lease->draining && !lease->defined)
		shown.grant.cpus = shown.grant.shared_cpus = (struct idset){0};
	row = lease_row(&shown, state, command, lease->started);
	if (lease->accel[0] != '\0') {
		json_object_set_new(row, "accel", json_string(lease->accel));
		json_object_set_new(row, "emulated", json_boolean(str_eq(lease->accel, "tcg")));
	}
	if (charges_any(&held))
		json_object_set_new(row, "held", held_to_json(&held, &lease->grant));
	for (size_t i = 0; told != NULL && i < ARRAY_LEN(told_by_keeper); i++) {
		json_t *value = json_object_get(told, told_by_keeper[i]);
		const json_t *own = json_object_get(row, told_by_keeper[i]);

		// what it leaves out, or says otherwise, is not taken; of an image there is nothing but its word
		if (value != NULL
		    && (own != NULL ? json_typeof(value) == json_typeof(own) : json_is_string(value)
		    ))
			json_object_set(row, told_by_keeper[i], value);
	}
	add_note(ps->l, lease, used, &o, &held, why.code != 0 ? why.msg : NULL, row);
	json_array_append_new(ps->rows, row);
	json_decref(told);
	return 0;
}

// For a user who is not root: the grants that are his.
static void ps_own(const char *name, void *arg)
{
	struct ps *ps = arg;
	struct err unused;
	json_t *row = cli_keeper_row(name, &unused);

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

static int read_options(int argc, char **argv, bool *all, bool *json, struct err *err)
{
	const struct option_row rows[] = {
		{"all", 'a', .flag = all}, {"help", 'h'}, {"json", .flag = json}, {0}};
	int r = cli_options(
		argc,
		argv,
		rows,
		"Usage: pinfold ps [-a|--all] [--json]\n"
		"The workloads that run; with -a also the last that have ended.",
		err
	);

	if (r != 0)
		return r;
	if (optind < argc)
		return err_set(err, EINVAL, "ps: '%s' is no option", argv[optind]);
	if (*all && geteuid() != 0 && cli_host_tree == NULL)
		return err_set(
			err,
			EPERM,
			"ps -a needs root, as what has ended is noted in a file of root's; use sudo"
		);
	return 0;
}

static int add_ended(struct ps *ps, struct err *err)
{
	json_t *ended;

	if (ended_read(ps->l, &ended, err) < 0)
		return -err->code;
	json_array_extend(ps->rows, ended);
	json_decref(ended);
	return 0;
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
	static const char *const all_keys[] = {
		"name", "state", "in", "cpus", "seconds", "ended", "how", "command", NULL};
	struct ps ps = {.rows = json_array()};
	bool all = false, json = false;
	struct hostfs fs;
	struct ledger l;
	struct err err;
	int r = read_options(argc, argv, &all, &json, &err);

	if (r == 0 && geteuid() != 0 && cli_host_tree == NULL) {
		r = keeper_each(ps_own, &ps, &err);
		cli_print_rows(ps.rows, keys, json);
	} else if (r == 0) {
		r = cli_open_real(false, &fs, &l, &err);
		if (r == 0) {
			struct err unreadable;

			ps.l = &l;
			r = lease_each(&l, ps_one, &ps, &err);
			if (all && add_ended(&ps, r == 0 ? &err : &unreadable) < 0)
				r = r == 0 ? -err.code : r;
			if (!json)
				mark_emulated(ps.rows);
			// the readable ones in any case
			cli_print_rows(ps.rows, all ? all_keys : keys, json);
			if (!json)
				print_notes(ps.rows);
			cli_close_real(&fs, &l);
		}
	}
	json_decref(ps.rows);
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}

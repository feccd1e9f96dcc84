// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A task of [core LIST]: what its lines mean once its mode is known.

#include "base/scope.h"
#include "config/parse.h"
#include "lua/lua.h"
#include "task/task.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CTRL_FREQUENCY 1000

#define KEY_CONF struct conf_task
const struct key conf_task_keys[] = {
	KEY_PORTS("rx port", rx_ports, "where packets come from"),
	KEY_BOOL(
		"rx ring",
		rx_ring,
		"yes: packets come from the tasks that name this one in their tx cores="
	),
	KEY_PORTS_ROLE(ROLE_OUTPUTS, "tx port", tx_ports, "where packets go"),
	KEY_PORTS_ROLE(
		ROLE_OUTPUTS_BY_ROUTE,
		"tx ports from routing table",
		tx_ports,
		"outputs among which the next hop chooses by its place in this list, from 0"
	),
	KEY_PORTS_ROLE(
		ROLE_OUTPUTS_BY_CPE,
		"tx ports from cpe table",
		tx_ports,
		"outputs among which the port of the CPE chooses; remap=A,B|C: output 0 for A, 1 "
		"for B "
		"and C"
	),
	KEY_TASKS(
		"tx cores",
		ROLE_OUTPUTS,
		"tasks that packets go to through rings; proto=ipv4|arp|ipv6 behind them, once for "
		"each"
	),
	KEY_TASKS(
		"tx cores from routing table",
		ROLE_OUTPUTS_BY_ROUTE,
		"tasks among which the next hop chooses by its place in this list, from 0"
	),
	KEY_TASKS(
		"tx cores from cpe table",
		ROLE_OUTPUTS_BY_CPE,
		"tasks among which the port of the CPE chooses, by remap=A,B|C behind them"
	),
	KEY_BOOL(
		"drop", drop, "what the output does not take is dropped (default), or offered again"
	),
	KEY_U32("ring size",
		ring_size,
		32,
		1 << 20,
		"packets that fit into each ring the task fills, rounded up to a power of two; "
		"default "
		"256"),
	KEY_U32("mempool size", mempool_size, 64, 16 << 20, "packet buffers of its core"),
	KEY_U32("memcache size", memcache_size, 0, 512, "buffers in the cache of its core"),
	KEY_U32("ctrl path polling frequency",
		ctrl_frequency,
		1,
		1000000,
		"looks a second at rings of the control path (t0p); default 1000"),
	{NULL},
};

// What a section may say beside the keys of its modes.
const char *const core_words[] = {"name", "task", "mode", "sub mode", NULL};

static int unknown_mode(struct parse *p, unsigned line, struct err *err)
{
	const char *words[128], *more = "";
	char buf[HINT_MAX];
	size_t n = 0;

	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next) {
		if (n + 3 > ARRAY_LEN(words))
			break;
		words[n++] = m->name;
		if (m->alias != NULL)
			words[n++] = m->alias;
	}
	words[n] = NULL;
	if (hint(buf, p->value, words)[0] == '\0')
		more = "; `drover modes` lists them";
	return parse_error(p, line, err, "unknown mode '%.64s'%s%s", p->value, buf, more);
}

// Names in a list of ports must be those of sections; marks them as carrying traffic.
int check_ports(
	struct parse *p,
	unsigned line,
	const struct key *key,
	const struct key_names *names,
	struct err *err
)
{
	for (unsigned i = 0; i < names->n; i++) {
		int at = conf_port_number(p->conf, names->name[i]);
		char buf[HINT_MAX];

		if (at < 0)
			return parse_error(
				p,
				line,
				err,
				"%s=: no port '%s' in any [port N]%s",
				key->name,
				names->name[i],
				hint_port(buf, names->name[i], p->conf)
			);
		p->carries[at] = true;
	}
	return 0;
}

static int parse_sub_mode(struct parse *p, const struct ini_item *it, struct err *err)
{
	if (parse_expand(p, it->line, it->value, err) < 0)
		return -err->code;
	// DPPD's word for "no addresses are looked up", which is what drover's modes do
	if (strcasecmp(p->value, "l2") == 0)
		return 0;
	return parse_error(
		p,
		it->line,
		err,
		"sub mode=%.32s: drover's modes have no sub modes: remove the line",
		p->value
	);
}

// A table that Lua defines under that name is brought into numbers. A path names a file, which is read
// when the tables are made.
static int task_table(
	struct parse *p, const struct ini_item *it, const struct key *key, struct err *err
)
{
	enum script_kind kind;

	if (key->role < ROLE_ROUTES || key->role > ROLE_CPES || strchr(p->value, '/') != NULL
	    || (strlen(p->value) > 4 && strcmp(p->value + strlen(p->value) - 4, ".csv") == 0))
		return 0;
	kind = key->role == ROLE_ROUTES	 ? SCRIPT_ROUTES
	       : key->role == ROLE_USERS ? SCRIPT_USERS
					 : SCRIPT_CPES;
	if (p->lua == NULL)
		return parse_error(
			p,
			it->line,
			err,
			"%s=%.64s: no such table: define it in [lua], as %.64s = dofile(\"FILE\"), "
			"or "
			"name a "
			"file.csv",
			key->name,
			p->value,
			p->value
		);
	if (script_table(p->lua, kind, p->value, &p->conf->specs, err) < 0) {
		err_wrap(err, "%s=%.64s", key->name, p->value);
		return parse_at(p, it->line, err);
	}
	return 0;
}

static int task_key(
	struct parse *p, const struct ini_item *it, struct conf_task *t, struct err *err
)
{
	const struct key *key = key_find(conf_task_keys, it->name);
	void *base = key != NULL ? (void *)t : t->conf;
	char buf[HINT_MAX];

	if (key_name_eq(it->name, "mode"))
		return 0;
	if (key_name_eq(it->name, "sub mode") && key_find(t->mode->keys, "sub mode") == NULL)
		return parse_sub_mode(p, it, err);
	if (key == NULL)
		key = key_find(t->mode->keys, it->name);
	if (key == NULL)
		return parse_error(
			p,
			it->line,
			err,
			"unknown key '%.64s' for mode %s%s",
			it->name,
			t->mode->name,
			hint_key(buf, it->name, t->mode->keys, conf_task_keys, core_words)
		);
	if (parse_expand(p, it->line, it->value, err) < 0)
		return -err->code;
	if (key->role >= ROLE_OUTPUTS && key->role <= ROLE_OUTPUTS_BY_CPE)
		return outputs_key(p, it, key, t, err);
	if (key_parse(key, p->value, base, err) < 0)
		return parse_at(p, it->line, err);
	if (key->role == ROLE_CPE_TIMEOUT)
		t->cpe_timeout = *(const uint32_t *)((char *)base + key->offset);
	if (key->kind == &kind_ports)
		return check_ports(
			p, it->line, key, (const void *)((char *)base + key->offset), err
		);
	return task_table(p, it, key, err);
}

// A key of its mode that [defaults] have and the task does not say.
static int task_default(
	struct parse *p,
	const struct pending *pending,
	const char *value,
	struct conf_task *t,
	struct err *err
)
{
	const struct key *key = key_of_role(t->mode->keys, ROLE_QINQ_TAG);

	if (key == NULL || value[0] == '\0')
		return 0;
	for (unsigned i = 0; i < pending->n; i++) {
		if (key_name_eq(pending->items[i]->name, key->name))
			return 0;
	}
	if (key_parse(key, value, t->conf, err) < 0)
		return err_wrap(err, "%s: [defaults]", p->conf->file);
	return 0;
}

// What is there twice, though it may be there once.
static int check_twice(
	struct parse *p, const struct pending *pending, const struct conf_task *t, struct err *err
)
{
	for (unsigned i = 0; i < pending->n; i++) {
		const struct ini_item *it = pending->items[i];
		const struct key *key = key_find(conf_task_keys, it->name);

		if (key == NULL)
			key = key_find(t->mode->keys, it->name);
		if (key != NULL && key->kind->repeats)
			continue;
		for (unsigned j = 0; j < i; j++) {
			if (key_name_eq(pending->items[j]->name, it->name))
				return parse_error(
					p,
					it->line,
					err,
					"%.64s= is there twice, first on line %u",
					it->name,
					pending->items[j]->line
				);
		}
	}
	return 0;
}

static int task_mode(
	struct parse *p, const struct pending *pending, struct conf_task *t, struct err *err
)
{
	const struct ini_item *it = NULL;

	for (unsigned i = 0; i < pending->n; i++) {
		if (key_name_eq(pending->items[i]->name, "mode"))
			it = pending->items[i];
	}
	if (it == NULL)
		return parse_error(p, t->line, err, "task=%u has no mode=", t->id);
	if (parse_expand(p, it->line, it->value, err) < 0)
		return -err->code;
	t->line = it->line;
	t->mode = task_mode_find(p->value);
	return t->mode == NULL ? unknown_mode(p, it->line, err) : 0;
}

int task_finish(
	struct parse *p, const struct pending *pending, struct conf_task *t, struct err *err
)
{
	if (task_mode(p, pending, t, err) < 0)
		return -err->code;
	// never NULL, also for a mode without keys
	t->conf = calloc(1, t->mode->conf_size + 1);
	if (t->conf == NULL)
		return err_oom(err);
	if (t->mode->defaults != NULL)
		t->mode->defaults(t->conf);
	t->drop = true;
	t->ring_size = CONF_RING_SIZE;
	t->ctrl_frequency = CTRL_FREQUENCY;
	if (check_twice(p, pending, t, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < pending->n; i++) {
		if (task_key(p, pending->items[i], t, err) < 0)
			return -err->code;
	}
	if (task_default(p, pending, p->qinq_tag, t, err) < 0)
		return -err->code;
	return outputs_check(p, t, err);
}

static const char *users_of(const struct conf_task *t)
{
	const struct key *key = key_of_role(t->mode->keys, ROLE_USERS);

	return key != NULL ? (const char *)t->conf + key->offset : "";
}

// DPPD's files say it where CPEs are learned, and it counts where they are looked up.
void tasks_share(struct conf *c)
{
	const struct conf_task *all[CONF_CORES], *said;
	unsigned n = 0;

	for (unsigned i = 0; i < c->ncores * CONF_TASKS; i++) {
		const struct conf_core *core = &c->cores[i / CONF_TASKS];

		said = &core->tasks[i % CONF_TASKS];
		if (i % CONF_TASKS < core->ntasks && said->cpe_timeout != 0 && n < ARRAY_LEN(all))
			all[n++] = said;
	}
	for (unsigned i = 0; n > 0 && i < c->ncores * CONF_TASKS; i++) {
		struct conf_core *core = &c->cores[i / CONF_TASKS];
		struct conf_task *t = &core->tasks[i % CONF_TASKS];
		const struct key *key;

		if (i % CONF_TASKS >= core->ntasks || t->cpe_timeout != 0)
			continue;
		key = key_of_role(t->mode->keys, ROLE_CPE_TIMEOUT);
		for (unsigned k = 0; key != NULL && k < n; k++) {
			if (strcmp(users_of(all[k]), users_of(t)) != 0)
				continue;
			*(uint32_t *)((char *)t->conf + key->offset) = all[k]->cpe_timeout;
			break;
		}
	}
}

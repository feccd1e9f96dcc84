// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A task of [core LIST]: what its lines mean once its mode is known.

#include "task/task.h"
#include "base/scope.h"
#include "config/section/private.h"

#include <stdlib.h>
#include <strings.h>

#define CTRL_FREQUENCY 1000

#define KEY_CONF struct task_section

const struct key task_keys[] = {
	KEY_PORTS("rx port", task.rx_ports, "where packets come from"),
	KEY_BOOL(
		"rx ring",
		task.rx_ring,
		"yes: packets come from the tasks that name this one in their tx cores="
	),
	KEY_TX_PORTS(ROLE_OUTPUTS, "tx port", task.tx_ports, "where packets go"),
	KEY_TX_PORTS(
		ROLE_OUTPUTS_BY_ROUTE,
		"tx ports from routing table",
		task.tx_ports,
		"outputs among which the next hop chooses by its place in this list, from 0"
	),
	KEY_TX_PORTS(
		ROLE_OUTPUTS_BY_CPE,
		"tx ports from cpe table",
		task.tx_ports,
		"outputs among which the port of the CPE chooses; remap=A,B|C: output 0 for A, 1 "
		"for B "
		"and C"
	),
	KEY_TX_TASKS(
		ROLE_OUTPUTS,
		"tx cores",
		to,
		"tasks that packets go to through rings; proto=ipv4|arp|ipv6 behind them, once for "
		"each"
	),
	KEY_TX_TASKS(
		ROLE_OUTPUTS_BY_ROUTE,
		"tx cores from routing table",
		to,
		"tasks among which the next hop chooses by its place in this list, from 0"
	),
	KEY_TX_TASKS(
		ROLE_OUTPUTS_BY_CPE,
		"tx cores from cpe table",
		to,
		"tasks among which the port of the CPE chooses, by remap=A,B|C behind them"
	),
	KEY_BOOL(
		"drop",
		task.drop,
		"what the output does not take is dropped (default), or offered again"
	),
	KEY_U32("ring size",
		task.ring_size,
		32,
		1 << 20,
		"packets that fit into each ring the task fills, rounded up to a power of two; "
		"default "
		"256"),
	KEY_U32("mempool size", task.mempool_size, 64, 16 << 20, "packet buffers of its core"),
	KEY_U32("memcache size", task.memcache_size, 0, 512, "buffers in the cache of its core"),
	KEY_U32("ctrl path polling frequency",
		task.ctrl_frequency,
		1,
		1000000,
		"looks a second at rings of the control path (t0p); default 1000"),
	{NULL},
};

static int unknown_mode(const struct entry *e, struct err *err)
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
	if (hint(buf, e->value, words)[0] == '\0')
		more = "; `drover modes` lists them";
	return error_at(e->at, err, "unknown mode '%.64s'%s%s", e->value, buf, more);
}

static int read_sub_mode(const struct entry *e, struct err *err)
{
	// DPPD's word for "no addresses are looked up", which is what drover's modes do
	if (strcasecmp(e->value, "l2") == 0)
		return 0;
	return error_at(
		e->at,
		err,
		"sub mode=%.32s: drover's modes have no sub modes: remove the line",
		e->value
	);
}

static const struct key *find(const struct task_mode *m, const char *name)
{
	const struct key *key = key_find(task_keys, name);

	return key != NULL ? key : key_find(m->keys, name);
}

static int read_key(const struct entry *e, struct task_section *section, struct err *err)
{
	struct conf_task *t = &section->task;
	const struct key *key = find(t->mode, e->name);
	bool common = key != NULL && key == key_find(task_keys, e->name);
	void *base = common ? (void *)section : t->conf;
	char buf[HINT_MAX];

	if (key_name_eq(e->name, "mode"))
		return 0;
	if (key == NULL && key_name_eq(e->name, "sub mode"))
		return read_sub_mode(e, err);
	if (key == NULL)
		return error_at(
			e->at,
			err,
			"unknown key '%.64s' for mode %s%s",
			e->name,
			t->mode->name,
			hint_key(buf, e->name, t->mode->keys, task_keys, core_words)
		);
	if (key->role >= ROLE_OUTPUTS && key->role <= ROLE_OUTPUTS_BY_CPE)
		return read_outputs(e, key, section, err);
	if (key_parse(key, e->value, base, err) < 0)
		return wrap_at(e->at, err);
	if (key->role == ROLE_CPE_TIMEOUT)
		t->cpe_timeout = *(const uint32_t *)((char *)base + key->offset);
	// there is room: it is there once
	if (key->kind == &kind_ports || (key->role >= ROLE_ROUTES && key->role <= ROLE_CPES))
		section->refs[section->nrefs++] =
			(struct reference){e->at.line, key, (char *)base + key->offset};
	return 0;
}

// A key of its mode that [defaults] have and the task does not say.
static int read_default(
	struct sections *s,
	const struct entry *const *keys,
	unsigned n,
	struct conf_task *t,
	struct err *err
)
{
	const struct key *key = key_of_role(t->mode->keys, ROLE_QINQ_TAG);

	if (key == NULL || s->conf->qinq_tag[0] == '\0')
		return 0;
	for (unsigned i = 0; i < n; i++) {
		if (key_name_eq(keys[i]->name, key->name))
			return 0;
	}
	if (key_parse(key, s->conf->qinq_tag, t->conf, err) < 0)
		return err_wrap(err, "%s: [defaults]", s->file);
	return 0;
}

// What is there twice, though it may be there once.
static int check_twice(
	const struct entry *const *keys, unsigned n, const struct task_mode *m, struct err *err
)
{
	for (unsigned i = 0; i < n; i++) {
		const struct key *key = find(m, keys[i]->name);

		if (key != NULL && key->kind->repeats)
			continue;
		for (unsigned j = 0; j < i; j++) {
			if (key_name_eq(keys[j]->name, keys[i]->name))
				return error_at(
					keys[i]->at,
					err,
					"%.64s= is there twice, first on line %u",
					keys[i]->name,
					keys[j]->at.line
				);
		}
	}
	return 0;
}

static int read_mode(
	struct sections *s,
	const struct entry *const *keys,
	unsigned n,
	struct conf_task *t,
	struct err *err
)
{
	const struct entry *e = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (key_name_eq(keys[i]->name, "mode"))
			e = keys[i];
	}
	if (e == NULL)
		return error_at(place(s, t->line), err, "task=%u has no mode=", t->id);
	t->line = e->at.line;
	t->mode = task_mode_find(e->value);
	return t->mode == NULL ? unknown_mode(e, err) : 0;
}

int read_task(
	struct sections *s,
	const struct entry *const *keys,
	unsigned n,
	struct task_section *section,
	struct err *err
)
{
	struct conf_task *t = &section->task;

	if (read_mode(s, keys, n, t, err) < 0)
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
	if (check_twice(keys, n, t->mode, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < n; i++) {
		if (read_key(keys[i], section, err) < 0)
			return -err->code;
	}
	if (read_default(s, keys, n, t, err) < 0)
		return -err->code;
	return check_outputs(s, t, err);
}

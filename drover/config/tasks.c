// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A task of [core LIST]: what its lines mean once its mode is known.

#include "base/scope.h"
#include "config/parse.h"
#include "task/task.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct key conf_task_keys[] = {
	{"rx port",
	 KEY_PORTS,
	 offsetof(struct conf_task, rx_ports),
	 0,
	 0,
	 "where packets come from"},
	{"tx port", KEY_PORTS, offsetof(struct conf_task, tx_ports), 0, 0, "where packets go"},
	{"drop",
	 KEY_BOOL,
	 offsetof(struct conf_task, drop),
	 0,
	 0,
	 "what the output does not take is dropped (default), or offered again"},
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
static int check_ports(
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

static int task_key(
	struct parse *p, const struct ini_item *it, struct conf_task *t, struct err *err
)
{
	const struct key *key = key_find(conf_task_keys, it->name);
	void *base = key != NULL ? (void *)t : t->conf;
	char buf[HINT_MAX];

	if (key_name_eq(it->name, "mode"))
		return 0;
	if (key_name_eq(it->name, "sub mode"))
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
	if (key_parse(key, p->value, base, err) < 0)
		return parse_at(p, it->line, err);
	if (key->type == KEY_PORTS)
		return check_ports(
			p, it->line, key, (const void *)((char *)base + key->offset), err
		);
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
	if (strcmp(p->value, "master") == 0)
		return parse_error(
			p,
			it->line,
			err,
			"mode=master is for a core of its own: no task= in its section"
		);
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
	for (unsigned i = 0; i < pending->n; i++) {
		if (task_key(p, pending->items[i], t, err) < 0)
			return -err->code;
	}
	if (t->mode->wants_rx && t->rx_ports.n == 0)
		return parse_error(p, t->line, err, "mode %s wants an rx port=", t->mode->name);
	if (t->mode->wants_tx && t->tx_ports.n == 0)
		return parse_error(p, t->line, err, "mode %s wants a tx port=", t->mode->name);
	if (t->tx_ports.n > 1)
		return parse_error(
			p,
			t->line,
			err,
			"tx port=: a task of mode %s sends to one port, not to %u",
			t->mode->name,
			t->tx_ports.n
		);
	return 0;
}

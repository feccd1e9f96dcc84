// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// [core LIST]: one section describes each core of its list.

#include "base/scope.h"
#include "base/str.h"
#include "config/kind/core_names.h"
#include "config/parse.h"
#include "task/task.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void scope_core(struct conf_core **c)
{
	if (*c != NULL)
		conf_core_done(*c);
	free(*c);
}
#define _cleanup_core_ scope_cleanup(scope_core)

void conf_core_done(struct conf_core *core)
{
	for (unsigned i = 0; i < core->ntasks; i++)
		free(core->tasks[i].conf);
	core->ntasks = 0;
}

// task=N begins a task.
static int begin_task(
	struct parse *p, const struct ini_item *it, struct conf_core *core, struct err *err
)
{
	const char *s = p->value;
	unsigned id = CONF_TASKS;

	if (parse_expand(p, it->line, it->value, err) < 0)
		return -err->code;
	if (isdigit((unsigned char)s[0]) && s[1] == '\0')
		id = (unsigned)(s[0] - '0');
	else if (s[0] == '1' && isdigit((unsigned char)s[1]) && s[2] == '\0')
		id = 10 + (unsigned)(s[1] - '0');
	if (id >= CONF_TASKS)
		return parse_error(
			p, it->line, err, "task=%.32s: tasks are 0 to %d", s, CONF_TASKS - 1
		);
	for (unsigned i = 0; i < core->ntasks; i++) {
		if (core->tasks[i].id == id)
			return parse_error(p, it->line, err, "task=%u is there twice", id);
	}
	// ids are unique and below CONF_TASKS: there is room
	core->tasks[core->ntasks++] = (struct conf_task){.id = id, .line = it->line};
	return 0;
}

static int add_pending(
	struct parse *p, struct pending *pending, const struct ini_item *it, struct err *err
)
{
	if (pending->n == TASK_KEYS)
		return parse_error(p, it->line, err, "more than %d keys in a task", TASK_KEYS);
	pending->items[pending->n++] = it;
	return 0;
}

static int core_text(
	struct parse *p, const struct ini_item *it, struct conf_core *core, struct err *err
)
{
#define KEY_CONF struct conf_core
	static const struct key key = KEY_TEXT("name", name, NULL);

	// DPPD's files may say it with each task; the last counts
	if (core->name[0] != '\0' && core->named_at == core->ntasks)
		return parse_error(p, it->line, err, "name= is there twice");
	core->named_at = core->ntasks;
	if (parse_expand(p, it->line, it->value, err) < 0)
		return -err->code;
	return key_parse(&key, p->value, core, err) < 0 ? parse_at(p, it->line, err) : 0;
}

// A key before the first task=.
static int core_key(struct parse *p, const struct ini_item *it, struct err *err)
{
	char buf[HINT_MAX];

	if (key_name_eq(it->name, "mode")) {
		if (parse_expand(p, it->line, it->value, err) < 0)
			return -err->code;
		return parse_error(p, it->line, err, "mode=%.32s before task=N", p->value);
	}
	if (key_find(conf_task_keys, it->name) != NULL || key_name_eq(it->name, "sub mode"))
		return parse_error(p, it->line, err, "%.64s= before task=N", it->name);
	return parse_error(
		p,
		it->line,
		err,
		"unknown key '%.64s' before task=N%s",
		it->name,
		hint_key(buf, it->name, NULL, NULL, core_words)
	);
}

// Whether the section is that of the control thread.
static int is_master(
	struct parse *p, const struct ini_item *items, size_t n, bool *ret, struct err *err
)
{
	*ret = false;
	for (size_t i = 1; i < n; i++) {
		if (!key_name_eq(items[i].name, "mode"))
			continue;
		if (parse_expand(p, items[i].line, items[i].value, err) < 0)
			return -err->code;
		*ret = *ret || strcmp(p->value, "master") == 0;
	}
	return 0;
}

// "tx cores=(…)t0m" of DPPD's master: drover's control goes another way, so that no ring is made.
static int master_targets(struct parse *p, const struct ini_item *it, struct err *err)
{
	struct target_names to;

	if (parse_expand(p, it->line, it->value, err) < 0)
		return -err->code;
	if (targets_parse(p->value, &to, err) < 0)
		return parse_at(p, it->line, err);
	for (unsigned i = 0; i < to.n; i++) {
		if (to.list[i].kind != TARGET_MESSAGE)
			return parse_error(
				p,
				it->line,
				err,
				"tx cores=: a core of mode=master sends messages, as in (1s0)t0m"
			);
	}
	return outputs_master(p, it->line, &to, err);
}

static int parse_master(
	struct parse *p,
	const struct ini_item *items,
	size_t n,
	struct conf_core *core,
	struct err *err
)
{
	unsigned modes = 0, tasks = 0, targets = 0;
	int r = 0;

	core->master = true;
	for (size_t i = 1; i < n && r == 0; i++) {
		const struct ini_item *it = &items[i];

		if (key_name_eq(it->name, "name"))
			r = core_text(p, it, core, err);
		else if (key_name_eq(it->name, "mode") && modes++ == 0)
			r = 0;
		else if (key_name_eq(it->name, "task") && strcmp(it->value, "0") == 0 && tasks++ == 0)
			r = 0;
		else if (key_name_eq(it->name, "tx cores") && targets++ == 0)
			r = master_targets(p, it, err);
		else if (modes > 1 || tasks > 1 || targets > 1)
			r = parse_error(p, it->line, err, "%.64s= is there twice", it->name);
		else
			r = parse_error(
				p,
				it->line,
				err,
				"mode=master takes no other keys: '%.64s'",
				it->name
			);
	}
	return r;
}

// Everything of the section into one core that stands for all of its list.
static int parse_keys(
	struct parse *p,
	const struct ini_item *items,
	size_t n,
	struct conf_core *core,
	struct err *err
)
{
	struct pending pending = {0};
	bool master;
	int r = is_master(p, items, n, &master, err);

	if (r == 0 && master)
		return parse_master(p, items, n, core, err);
	for (size_t i = 1; i < n && r == 0; i++) {
		const struct ini_item *it = &items[i];

		if (key_name_eq(it->name, "name")) {
			r = core_text(p, it, core, err);
		} else if (key_name_eq(it->name, "task")) {
			if (core->ntasks > 0)
				r = task_finish(p, &pending, &core->tasks[core->ntasks - 1], err);
			pending.n = 0;
			if (r == 0)
				r = begin_task(p, it, core, err);
		} else if (core->ntasks > 0) {
			r = add_pending(p, &pending, it, err);
		} else {
			r = core_key(p, it, err);
		}
	}
	if (r == 0 && core->ntasks > 0)
		r = task_finish(p, &pending, &core->tasks[core->ntasks - 1], err);
	if (r == 0 && core->ntasks == 0)
		return parse_error(p, items[0].line, err, "the core has no task=");
	return r;
}

static struct core_name name_of(const struct conf_core *c)
{
	return (struct core_name){.id = c->id, .socket = c->socket, .hyperthread = c->hyperthread};
}

// Room for one more core of that name.
static int check_name(struct parse *p, unsigned line, const struct core_name *name, struct err *err)
{
	const struct conf *c = p->conf;
	char buf[CORE_NAME_STR];

	for (unsigned i = 0; i < c->ncores; i++) {
		struct core_name other = name_of(&c->cores[i]);

		if (core_name_same(&other, name))
			return parse_error(
				p,
				line,
				err,
				"core %s is there twice, first on line %u",
				core_name_format(name, buf),
				c->cores[i].line
			);
	}
	return 0;
}

// A copy of the section's core under its own name.
static int add_core(
	struct conf *c, const struct conf_core *like, const struct core_name *name, struct err *err
)
{
	struct conf_core *core = &c->cores[c->ncores++];
	char buf[CORE_NAME_STR];

	*core = *like;
	core->ntasks = 0;
	core->id = name->id;
	core->socket = name->socket;
	core->hyperthread = name->hyperthread;
	if (core->name[0] == '\0')
		snprintf(core->name, sizeof(core->name), "core%s", core_name_format(name, buf));
	for (unsigned i = 0; i < like->ntasks; i++) {
		size_t size = like->tasks[i].mode->conf_size + 1;
		void *conf = malloc(size);

		if (conf == NULL)
			return err_oom(err);
		core->tasks[i].conf = memcpy(conf, like->tasks[i].conf, size);
		core->ntasks++;
	}
	return 0;
}

int parse_core(struct parse *p, const struct ini_item *items, size_t n, struct err *err)
{
	_cleanup_core_ struct conf_core *core = calloc(1, sizeof(*core));
	struct core_name names[CONF_CORES];
	unsigned line = items[0].line, nnames;
	struct conf *c = p->conf;

	if (core == NULL)
		return err_oom(err);
	core->line = line;
	if (parse_expand(p, line, items[0].value, err) < 0)
		return -err->code;
	if (cores_parse(p->value, CONF_CORES - c->ncores, names, &nnames, err) < 0)
		return parse_at(p, line, err);
	for (unsigned i = 0; i < nnames; i++) {
		if (check_name(p, line, &names[i], err) < 0)
			return -err->code;
	}
	if (parse_keys(p, items, n, core, err) < 0)
		return -err->code;
	if (core->master && nnames > 1)
		return parse_error(p, line, err, "mode=master: one core, not %u", nnames);
	for (unsigned i = 0; core->master && i < c->ncores; i++) {
		if (c->cores[i].master)
			return parse_error(
				p,
				line,
				err,
				"a second mode=master, the first on line %u",
				c->cores[i].line
			);
	}
	for (unsigned i = 0; i < nnames; i++) {
		if (add_core(c, core, &names[i], err) < 0)
			return -err->code;
	}
	return 0;
}

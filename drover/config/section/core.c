// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// [core LIST]: one section describes each core of its list.

#include "config/section/private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// What a section may say beside the keys of its tasks and modes.
const char *const core_words[] = {"name", "task", "mode", "sub mode", NULL};

// The section at hand.
struct reader {
	struct sections *s;
	struct core_section *core;
	unsigned named_at; // how many tasks there were when name= was read
	// of the last task, until its mode is known
	unsigned n;
	const struct entry *keys[TASK_KEYS];
};

static int finish_task(struct reader *r, struct err *err)
{
	struct core_section *core = r->core;
	unsigned n = r->n;

	r->n = 0;
	return core->ntasks > 0 ? read_task(r->s, r->keys, n, &core->tasks[core->ntasks - 1], err)
				: 0;
}

// task=N ends a task and begins another.
static int begin_task(struct reader *r, const struct entry *e, struct err *err)
{
	struct core_section *core = r->core;
	const char *v = e->value;
	unsigned id = CONF_TASKS;

	if (finish_task(r, err) < 0)
		return -err->code;
	if (isdigit((unsigned char)v[0]) && v[1] == '\0')
		id = (unsigned)(v[0] - '0');
	else if (v[0] == '1' && isdigit((unsigned char)v[1]) && v[2] == '\0')
		id = 10 + (unsigned)(v[1] - '0');
	if (id >= CONF_TASKS)
		return error_at(e->at, err, "task=%.32s: tasks are 0 to %d", v, CONF_TASKS - 1);
	for (unsigned i = 0; i < core->ntasks; i++) {
		if (core->tasks[i].task.id == id)
			return error_at(e->at, err, "task=%u is there twice", id);
	}
	// ids are unique and below CONF_TASKS: there is room
	core->tasks[core->ntasks++].task = (struct conf_task){.id = id, .line = e->at.line};
	return 0;
}

static int read_name(struct reader *r, const struct entry *e, struct err *err)
{
#define KEY_CONF struct core_section
	static const struct key key = KEY_TEXT("name", name, NULL);

	// DPPD's files may say it with each task; the last counts
	if (r->core->name[0] != '\0' && r->named_at == r->core->ntasks)
		return error_at(e->at, err, "name= is there twice");
	r->named_at = r->core->ntasks;
	return key_parse(&key, e->value, r->core, err) < 0 ? wrap_at(e->at, err) : 0;
}

// A key before the first task=.
static int too_early(const struct entry *e, struct err *err)
{
	char buf[HINT_MAX];

	if (key_name_eq(e->name, "mode"))
		return error_at(e->at, err, "mode=%.32s before task=N", e->value);
	if (key_find(task_keys, e->name) != NULL || key_name_eq(e->name, "sub mode"))
		return error_at(e->at, err, "%.64s= before task=N", e->name);
	return error_at(
		e->at,
		err,
		"unknown key '%.64s' before task=N%s",
		e->name,
		hint_key(buf, e->name, NULL, NULL, core_words)
	);
}

// Whether the section is that of the control thread.
static bool is_master(const struct entry *keys, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (key_name_eq(keys[i].name, "mode") && strcmp(keys[i].value, "master") == 0)
			return true;
	}
	return false;
}

// "tx cores=(…)t0m" of DPPD's master: drover's control goes another way, so that no ring is made.
static int read_messages(struct reader *r, const struct entry *e, struct err *err)
{
	struct target_names *to = &r->core->messages;

	if (targets_parse(e->value, to, err) < 0)
		return wrap_at(e->at, err);
	r->core->messages_line = e->at.line;
	for (unsigned i = 0; i < to->n; i++) {
		if (to->list[i].kind != TARGET_MESSAGE)
			return error_at(
				e->at,
				err,
				"tx cores=: a core of mode=master sends messages, as in (1s0)t0m"
			);
	}
	return 0;
}

static int read_master(struct reader *r, const struct entry *keys, size_t n, struct err *err)
{
	unsigned modes = 0, tasks = 0, targets = 0;
	int ret = 0;

	r->core->master = true;
	for (const struct entry *e = keys + 1; e < keys + n && ret == 0; e++) {
		if (key_name_eq(e->name, "name"))
			ret = read_name(r, e, err);
		else if (key_name_eq(e->name, "mode") && modes++ == 0)
			ret = 0;
		else if (key_name_eq(e->name, "task") && strcmp(e->value, "0") == 0 && tasks++ == 0)
			ret = 0;
		else if (key_name_eq(e->name, "tx cores") && targets++ == 0)
			ret = read_messages(r, e, err);
		else if (modes > 1 || tasks > 1 || targets > 1)
			ret = error_at(e->at, err, "%.64s= is there twice", e->name);
		else
			ret = error_at(
				e->at, err, "mode=master takes no other keys: '%.64s'", e->name
			);
	}
	if (ret == 0 && r->core->nnames > 1)
		return error_at(keys[0].at, err, "mode=master: one core, not %u", r->core->nnames);
	for (const struct core_section *c = r->s->cores; c != r->core && ret == 0; c = c->next) {
		if (c->master)
			ret = error_at(
				keys[0].at,
				err,
				"a second mode=master, the first on line %u",
				c->line
			);
	}
	return ret;
}

static int read_tasks(struct reader *r, const struct entry *keys, size_t n, struct err *err)
{
	int ret = 0;

	for (const struct entry *e = keys + 1; e < keys + n && ret == 0; e++) {
		if (key_name_eq(e->name, "name"))
			ret = read_name(r, e, err);
		else if (key_name_eq(e->name, "task"))
			ret = begin_task(r, e, err);
		else if (r->core->ntasks == 0)
			ret = too_early(e, err);
		else if (r->n < TASK_KEYS)
			r->keys[r->n++] = e;
		else
			ret = error_at(e->at, err, "more than %d keys in a task", TASK_KEYS);
	}
	if (ret == 0 && r->core->ntasks == 0)
		return error_at(keys[0].at, err, "the core has no task=");
	return ret == 0 ? finish_task(r, err) : ret;
}

// That the cores of a section are not those of one before it.
static int check_names(struct sections *s, const struct core_section *core, struct err *err)
{
	char buf[CORE_NAME_STR];

	for (const struct core_section *other = s->cores; other != core; other = other->next) {
		for (unsigned i = 0; i < core->nnames * other->nnames; i++) {
			const struct core_name *name = &core->names[i / other->nnames];

			if (core_name_same(name, &other->names[i % other->nnames]))
				return error_at(
					place(s, core->line),
					err,
					"core %s is there twice, first on line %u",
					core_name_format(name, buf),
					other->line
				);
		}
	}
	return 0;
}

int read_core(struct sections *s, const struct entry *keys, size_t n, struct err *err)
{
	struct core_section *core = calloc(1, sizeof(*core));
	struct reader r = {.s = s, .core = core};

	if (core == NULL)
		return err_oom(err);
	*s->end = core;
	s->end = &core->next;
	core->line = keys[0].at.line;
	if (cores_parse(keys[0].value, CONF_CORES - s->ncores, core->names, &core->nnames, err) < 0)
		return wrap_at(place(s, core->line), err);
	s->ncores += core->nnames;
	if (check_names(s, core, err) < 0)
		return -err->code;
	return is_master(keys, n) ? read_master(&r, keys, n, err) : read_tasks(&r, keys, n, err);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/read/entries.h"

#include "base/scope.h"
#include "config/hint.h"
#include "config/location.h"
#include "config/printable.h"
#include "config/read/vars.h"
#include "lua/lua.h"

#include <stdlib.h>
#include <string.h>

// A megabyte of text can ask for thousands of them.
#define EXPANDED_MAX (64u << 20)

struct reader {
	const char *file;
	struct ini *ini;
	struct vars vars;
	const struct conf_overrides *overrides;
	char value[VALUE_MAX]; // the one at hand, its variables replaced
};

// ---- [lua]: all of its lines are one script. Its strings and numbers can be used like variables.

// In the place of every other line of the file is an empty one, so that Lua counts as the file does.
static char *script(const struct ini *ini, size_t *ret_len)
{
	size_t room = 1, len = 0;
	unsigned line = 1;
	char *text;

	for (size_t i = 0; i < ini->n; i++) {
		if (ini->list[i].section == INI_LUA && !ini->list[i].header)
			room += strlen(ini->list[i].name) + 1;
	}
	if (room == 1)
		return NULL;
	text = malloc(room + ini->list[ini->n - 1].at.line);
	for (size_t i = 0; text != NULL && i < ini->n; i++) {
		const struct entry *it = &ini->list[i];

		if (it->section != INI_LUA || it->header)
			continue;
		for (; line < it->at.line; line++)
			text[len++] = '\n';
		memcpy(text + len, it->name, strlen(it->name));
		len += strlen(it->name);
	}
	*ret_len = len;
	return text;
}

static int run_script(struct entries *e, const char *folder, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	text = script(&e->ini, &len);
	if (text == NULL)
		return 0;
	if (script_make(folder, &e->lua, err) < 0)
		return err_wrap(err, "%s", e->file);
	return script_run(e->lua, text, len, e->file, err);
}

// ---- variables

// -D name=value: there before the file's own, which then count for nothing.
static int given_vars(struct reader *p, struct err *err)
{
	for (unsigned i = 0; i < p->overrides->nvars; i++) {
		const char *name = p->overrides->vars[i].name, *value = p->overrides->vars[i].value;
		struct var *v = vars_find(&p->vars, name, strlen(name));

		if (!printable(value))
			return error_at(
				(struct location){p->file, 0},
				err,
				"-D %.64s=: the value holds a control character or is not UTF-8",
				name
			);
		// a key of a section: see given_keys
		if (strchr(name, ' ') != NULL)
			continue;
		if (v != NULL)
			v->value = value;
		else if (vars_add(&p->vars, name, value, 0, err) < 0)
			return err_wrap(err, "%s: -D", p->file);
	}
	return 0;
}

static int parse_var(struct reader *p, const struct entry *it, struct err *err)
{
	struct var *v;

	if (it->name[0] != '$')
		return error_at(
			it->at, err, "'%.64s': a variable is written $name=value", it->name
		);
	v = vars_find(&p->vars, it->name + 1, strlen(it->name + 1));
	if (v != NULL && v->line != 0)
		return error_at(
			it->at,
			err,
			"variable $%s is there twice, first on line %u",
			v->name,
			v->line
		);
	if (v != NULL) {
		// given on the command line, and known to the file
		v->line = it->at.line;
		v->used = true;
		return 0;
	}
	if (vars_add(&p->vars, it->name + 1, it->value, it->at.line, err) < 0)
		return wrap_at(it->at, err);
	return 0;
}

static int define_vars(struct reader *p, struct err *err)
{
	if (given_vars(p, err) < 0)
		return -err->code;
	for (size_t i = 0; i < p->ini->n; i++) {
		const struct entry *it = &p->ini->list[i];

		if (it->section == INI_VARIABLES && !it->header && parse_var(p, it, err) < 0)
			return -err->code;
	}
	// what is wrong with a variable is said where it is defined, used or not
	for (unsigned i = 0; i < p->vars.n; i++) {
		struct var *v = &p->vars.v[i];
		bool used = v->used;
		int r;

		v->busy = true;
		r = vars_expand(&p->vars, v->value, p->value, err);
		v->busy = false;
		v->used = used;
		if (r < 0 && v->line == 0)
			return err_wrap(err, "%s: -D %.64s=", p->file, v->name);
		if (r < 0)
			return wrap_at((struct location){p->file, v->line}, err);
	}
	return 0;
}

// A misspelt -D would change nothing, in silence.
static int check_given(struct reader *p, struct err *err)
{
	for (unsigned i = 0; i < p->vars.n; i++) {
		const struct var *v = &p->vars.v[i];
		const char *names[VARS_MAX + 1] = {0};
		char buf[HINT_MAX];
		unsigned n = 0;

		if (v->used || v->line != 0)
			continue;
		for (unsigned j = 0; j < p->vars.n; j++) {
			if (p->vars.v[j].line != 0)
				names[n++] = p->vars.v[j].name;
		}
		return error_at(
			(struct location){p->file, 0},
			err,
			"-D %.64s=: the file has no such variable%s",
			v->name,
			hint(buf, v->name, names)
		);
	}
	return 0;
}

// -D of a name with a blank: a key of [defaults] or [global], in place of what the file says.
static int given_keys(struct reader *p, struct err *err)
{
	for (unsigned i = 0; i < p->overrides->nvars; i++) {
		struct entry e = {
			.at = {p->file, 0},
			.section = INI_GIVEN,
			.header = true,
			.name = p->overrides->vars[i].name};

		if (strchr(e.name, ' ') == NULL)
			continue;
		e.value = e.own = strdup(p->overrides->vars[i].value);
		if (e.value == NULL)
			return err_oom(err);
		if (ini_add(p->ini, &e, err) < 0) {
			free(e.own);
			return -err->code;
		}
	}
	return 0;
}

static int expand(struct reader *p, struct err *err)
{
	size_t all = 0;

	for (size_t i = 0; i < p->ini->n; i++) {
		struct entry *e = &p->ini->list[i];
		int r;

		if (e->section == INI_LUA || e->section == INI_VARIABLES
		    || strchr(e->value, '$') == NULL)
			continue;
		r = vars_expand(&p->vars, e->value, p->value, err);
		if (r < 0 && e->section == INI_GIVEN)
			return err_wrap(err, "%s: -D '%.64s='", p->file, e->name);
		if (r < 0)
			return wrap_at(e->at, err);
		all += strlen(p->value);
		if (all > EXPANDED_MAX)
			return error_at(e->at, err, "more than 64 MiB with all variables");
		free(e->own);
		e->value = e->own = strdup(p->value);
		if (e->value == NULL)
			return err_oom(err);
	}
	return 0;
}

int entries_read(
	const char *text,
	size_t len,
	const char *file,
	const char *folder,
	const struct conf_overrides *o,
	struct entries *ret,
	struct err *err
)
{
	struct reader p = {.file = file, .ini = &ret->ini, .overrides = o};

	*ret = (struct entries){.file = file};
	if (ini_parse(text, len, file, &ret->ini, err) < 0)
		return -err->code;
	if (run_script(ret, folder, err) < 0)
		return -err->code;
	p.vars.lua = ret->lua;
	if (define_vars(&p, err) < 0 || given_keys(&p, err) < 0 || expand(&p, err) < 0)
		return -err->code;
	return check_given(&p, err);
}

void entries_done(struct entries *e)
{
	ini_done(&e->ini);
	script_done(e->lua);
}

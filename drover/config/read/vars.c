// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/read/vars.h"

#include "config/hint.h"
#include "lua/lua.h"

#include <errno.h>
#include <string.h>

// Replacements in one value: variables that hold nothing but variables could otherwise ask for
// thousands of millions of them without a longer result.
#define STEPS_MAX 1024

#define SELF "self"

struct out {
	char *to;
	size_t len;
	unsigned steps, depth;
};

static size_t name_len(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

struct var *vars_find(struct vars *vars, const char *name, size_t len)
{
	for (unsigned i = 0; i < vars->n; i++) {
		struct var *v = &vars->v[i];

		if (strlen(v->name) == len && memcmp(v->name, name, len) == 0)
			return v;
	}
	return NULL;
}

int vars_add(struct vars *vars, const char *name, const char *value, unsigned line, struct err *err)
{
	size_t len = name_len(name);

	if (len == 0 || name[len] != '\0')
		return err_set(
			err,
			EINVAL,
			"'%.64s' is no name of a variable: letters, digits and _ make one",
			name
		);
	if (vars->n == VARS_MAX)
		return err_set(err, EINVAL, "more than %d variables", VARS_MAX);
	vars->v[vars->n++] = (struct var){.name = name, .value = value, .line = line};
	return 0;
}

static int unknown(const struct vars *vars, const char *name, size_t len, struct err *err)
{
	const char *names[VARS_MAX + 1] = {0};
	char word[64], buf[HINT_MAX];

	if (len >= sizeof(word))
		len = sizeof(word) - 1;
	memcpy(word, name, len);
	word[len] = '\0';
	for (unsigned i = 0; i < vars->n; i++)
		names[i] = vars->v[i].name;
	return err_set(err, EINVAL, "no variable $%s%s", word, hint(buf, word, names));
}

static int too_long(struct err *err)
{
	return err_set(
		err, EINVAL, "the value has more than %d bytes with its variables", VALUE_MAX - 1
	);
}

static int expand(struct vars *vars, const char *s, struct out *o, struct err *err);

static bool lua_text(struct script *lua, const char *name, size_t len, char ret[static VALUE_MAX])
{
	char word[64];

	if (lua == NULL || len >= sizeof(word))
		return false;
	memcpy(word, name, len);
	word[len] = '\0';
	return script_text(lua, word, ret, VALUE_MAX);
}

// One reference: s is behind its '$'. Returns how long it is, or -errno.
static int expand_one(struct vars *vars, const char *s, struct out *o, struct err *err)
{
	bool brace = *s == '{';
	const char *name = brace ? s + 1 : s;
	size_t len = name_len(name);
	char text[VALUE_MAX];
	struct var *v;
	int r;

	if (len == 0)
		return err_set(err, EINVAL, "'$%.32s': no name of a variable behind '$'", s);
	if (brace && name[len] != '}')
		return err_set(err, EINVAL, "'$%.32s': '}' is missing", s);
	v = vars_find(vars, name, len);
	if (v == NULL && lua_text(vars->lua, name, len, text)) {
		size_t n = strlen(text);

		if (o->len + n >= VALUE_MAX)
			return too_long(err);
		memcpy(o->to + o->len, text, n);
		o->len += n;
		return (int)(len + (brace ? 2 : 0));
	}
	// the core at hand, in "tx cores=": its tasks are found when all of the file is read
	if (v == NULL && len == strlen(SELF) && memcmp(name, SELF, len) == 0) {
		r = expand(vars, SELF, o, err);
		return r < 0 ? r : (int)(len + (brace ? 2 : 0));
	}
	if (v == NULL)
		return unknown(vars, name, len, err);
	if (v->busy)
		return err_set(err, EINVAL, "variable $%.64s is defined by itself", v->name);
	if (o->depth == VARS_DEPTH || ++o->steps > STEPS_MAX)
		return err_set(
			err,
			EINVAL,
			"variable $%.64s: variables within variables, too many (%d deep, %d in "
			"all)",
			v->name,
			VARS_DEPTH,
			STEPS_MAX
		);
	v->busy = v->used = true;
	o->depth++;
	r = expand(vars, v->value, o, err);
	o->depth--;
	v->busy = false;
	return r < 0 ? r : (int)(len + (brace ? 2 : 0));
}

static int expand(struct vars *vars, const char *s, struct out *o, struct err *err)
{
	while (*s != '\0') {
		int n;

		if (*s != '$') {
			if (o->len + 1 >= VALUE_MAX)
				return too_long(err);
			o->to[o->len++] = *s++;
			continue;
		}
		n = expand_one(vars, ++s, o, err);
		if (n < 0)
			return n;
		s += n;
	}
	return 0;
}

int vars_expand(struct vars *vars, const char *text, char ret[static VALUE_MAX], struct err *err)
{
	struct out o = {.to = ret};
	int r = expand(vars, text, &o, err);

	ret[o.len] = '\0';
	return r;
}

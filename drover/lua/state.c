// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A Lua machine with walls: memory, steps, time, and what there is to call.

#include "base/scope.h"
#include "config/printable.h"
#include "lua/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script *script_of(lua_State *s)
{
	void *l;

	lua_getallocf(s, &l);
	return l;
}

int script_make(const char *folder, struct script **ret, struct err *err)
{
	struct script *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_oom(err);
	l->folder = -1;
	if (folder != NULL) {
		l->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (l->folder < 0) {
			free(l);
			return err_sys(err, errno, "open '%.256s'", folder);
		}
	}
	l->state = lua_newstate(script_allocate, l);
	if (l->state == NULL) {
		script_done(l);
		return err_oom(err);
	}
	lua_pushcfunction(l->state, script_library);
	if (lua_pcall(l->state, 0, 0, 0) != LUA_OK) {
		script_done(l);
		return err_oom(err);
	}
	lua_sethook(l->state, script_on_steps, LUA_MASKCOUNT, SCRIPT_HOOK_STEPS);
	*ret = l;
	return 0;
}

void script_done(struct script *l)
{
	if (l == NULL)
		return;
	if (l->state != NULL)
		lua_close(l->state);
	if (l->folder >= 0)
		close(l->folder);
	free(l);
}

// A message of Lua's, which may quote anything, fit for a terminal.
static void clean(char *s)
{
	if (printable(s))
		return;
	for (; *s != '\0'; s++) {
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
	}
}

// What is on the stack's top says why a call failed. Where it begins with the place in this text
// ("lua:7: "), the place is the file's.
static int explain(struct script *l, int status, const char *name, struct err *err)
{
	const char *what =
		lua_type(l->state, -1) == LUA_TSTRING ? lua_tostring(l->state, -1) : NULL;
	char msg[512];
	unsigned line;
	int end = 0;

	snprintf(msg, sizeof(msg), "%s", what != NULL ? what : "an error that is no text");
	lua_settop(l->state, 0);
	clean(msg);
	if (status == LUA_ERRMEM)
		return err_set(
			err,
			ENOMEM,
			"%s: [lua]: more than %u MiB of memory; large tables are better in a file "
			"(.csv)",
			name,
			SCRIPT_MEMORY_MAX >> 20
		);
	if (sscanf(msg, "lua:%u: %n", &line, &end) == 1 && end > 0)
		return err_set(err, EINVAL, "%s:%u: [lua]: %s", name, line, msg + end);
	return err_set(err, EINVAL, "%s: [lua]: %s", name, msg);
}

int script_run(struct script *l, const char *text, size_t len, const char *name, struct err *err)
{
	int r = script_limit_begin(l, name, err);

	if (r < 0)
		return r;
	r = luaL_loadbufferx(l->state, text, len, "=lua", "t");
	if (r == LUA_OK)
		r = lua_pcall(l->state, 0, 0, 0);
	script_limit_end();
	return r == LUA_OK ? 0 : explain(l, r, name, err);
}

// Arguments: a struct text; the global's name.
struct text {
	const char *name;
	char *to;
	size_t room;
	bool ok;
};

static int text_of(lua_State *s)
{
	struct text *t = lua_touserdata(s, 1);
	lua_Integer i;

	switch (lua_getglobal(s, t->name)) {
	case LUA_TSTRING:
		t->ok = strlen(lua_tostring(s, -1)) == lua_rawlen(s, -1)
			&& printable(lua_tostring(s, -1))
			&& (size_t)snprintf(t->to, t->room, "%s", lua_tostring(s, -1)) < t->room;
		break;
	case LUA_TNUMBER:
		// 2^3 is a number with a fraction for Lua, and 8 for people
		if (lua_tonumber(s, -1) >= -9e15 && lua_tonumber(s, -1) <= 9e15
		    && (lua_Number)(i = (lua_Integer)lua_tonumber(s, -1)) == lua_tonumber(s, -1))
			t->ok = (size_t)snprintf(t->to, t->room, "%lld", (long long)i) < t->room;
		else
			t->ok = (size_t)snprintf(t->to, t->room, "%.14g", lua_tonumber(s, -1))
				< t->room;
		break;
	}
	return 0;
}

bool script_text(struct script *l, const char *name, char *ret, size_t room)
{
	struct text t = {.name = name, .to = ret, .room = room};

	lua_pushcfunction(l->state, text_of);
	lua_pushlightuserdata(l->state, &t);
	if (lua_pcall(l->state, 1, 0, 0) != LUA_OK)
		t.ok = false;
	lua_settop(l->state, 0);
	return t.ok;
}

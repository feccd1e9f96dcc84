// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Private to drover/lua.
#pragma once

#include "lua/lua.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

struct script {
	lua_State *state;
	int folder; // descriptor; -1: none
	size_t used;
	uint64_t steps;
	bool short_of_memory;	   // what failed, failed for want of memory
	volatile bool out_of_time; // set by a signal handler
};

// limit.c: from here on every step and every call fails. May be called by a signal handler.
void script_end_it(struct script *l);
// As lua_Alloc; arg: a struct script.
void *script_allocate(void *arg, void *old, size_t old_size, size_t size);
// As lua_Hook, after so many steps each.
#define SCRIPT_HOOK_STEPS 100000
void script_on_steps(lua_State *s, lua_Debug *d);

// Between these two a script may use SCRIPT_SECONDS_MAX of CPU time. name: of the file, for
// messages.
#define SCRIPT_TIME_TEXT                                                                      \
	"more than " SCRIPT_SECONDS_TEXT " s of CPU time; large tables are better in a file " \
	"(.csv)"
int script_limit_begin(struct script *l, const char *name, struct err *err);
void script_limit_end(void);

// library.c: the functions that scripts may call. Runs protected.
int script_library(lua_State *s);
// The struct script of a state.
struct script *script_of(lua_State *s);

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
	bool short_of_memory; // what failed, failed for want of memory
};

// library.c: the functions that scripts may call. Runs protected.
int script_library(lua_State *s);
// The struct script of a state.
struct script *script_of(lua_State *s);

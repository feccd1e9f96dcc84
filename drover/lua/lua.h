// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The [lua] of a configuration, and the tables that it defines. Scripts compute; they reach nothing:
// no files but those dofile reads below the configuration's folder, no other program, no compiled code,
// and only so many steps, so much time and memory.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
// a fuzzer finds endless loops all the time
#define SCRIPT_MEMORY_MAX (16u << 20)
#define SCRIPT_STEPS_MAX 1000000ull
#else
#define SCRIPT_MEMORY_MAX (512u << 20) // bytes
#define SCRIPT_STEPS_MAX 500000000ull  // instructions of Lua's machine
#endif
#define SCRIPT_SECONDS_MAX 10 // of CPU time, a second more where one step takes that long
#define SCRIPT_SECONDS_TEXT "10"
#define SCRIPT_FILE_MAX (64u << 20) // bytes of a file

struct script;
struct specs;

enum script_kind {
	SCRIPT_ROUTES, // {next_hops = {{id, port_id, ip, mac, mpls}…}, routes = {{cidr, next_hop_id}…}}
	SCRIPT_USERS, // {{gre_id, svlan_id, cvlan_id, user_id}…}
	SCRIPT_CPES,  // {{dest_id, gre_id, svlan_id, cvlan_id, cidr, mac, user_id}…}
};

// folder: where dofile finds files; NULL: nowhere. Released with script_done.
int script_make(const char *folder, struct script **ret, struct err *err);
void script_done(struct script *l); // NULL: nothing to do

// Runs text. Messages begin with "NAME:LINE: ".
int script_run(struct script *l, const char *text, size_t len, const char *name, struct err *err);

// Writes a global string or number as text of less than room bytes. False: there is none of that name,
// or it does not fit, or is no text for a terminal.
bool script_text(struct script *l, const char *name, char *ret, size_t room);

// Brings a global table into numbers, as the part of that kind of the table `name` of *ret. Done once:
// nothing happens when it is there already.
int script_table(
	struct script *l,
	enum script_kind kind,
	const char *name,
	struct specs *ret,
	struct err *err
);

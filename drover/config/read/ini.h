// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The lines of a configuration: sections and "name=value", comments gone. What a line means is not
// known here, only which sections there are.
#pragma once

#include "config/location.h"

#include <stdbool.h>
#include <stddef.h>

#define INI_FILE_MAX (1u << 20)
#define INI_LINE_MAX 4096

enum ini_section {
	INI_EAL, // "eal options"
	INI_VARIABLES,
	INI_DEFAULTS,
	INI_GLOBAL,
	INI_LUA,   // its lines are text: name is all of the line, value is ""
	INI_PORT,  // "port N"
	INI_CORE,  // "core LIST"
	INI_GIVEN, // of the command line, for [defaults] and [global]
};

struct entry {
	struct location at;
	enum ini_section section; // that it is or belongs to
	bool header;		  // "[name argument]"
	const char *name;	  // of the key; of the section without its argument
	char *value;		  // of the key; argument of the section, "" when it has none
	char *own;		  // what value points to when it is not in the text; to be freed
};

struct ini {
	char *text; // that entries point into
	struct entry *list;
	size_t n, room;
};

// Comments run from ';' to the end of the line; a line that begins with '#' is one. White space
// around names and values is gone, tabs have become blanks. Refused: NUL and control characters,
// text that is not UTF-8, long lines, keys outside a section, unknown sections.
// One more in the list.
int ini_add(struct ini *ini, const struct entry *e, struct err *err);

// *ret is to be released with ini_done.
int ini_parse(const char *text, size_t len, const char *file, struct ini *ret, struct err *err);
void ini_done(struct ini *ini);

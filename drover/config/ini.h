// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The lines of a configuration: sections and "name=value", comments gone. What a line means is not
// known here, only which sections there are.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define INI_FILE_MAX (1u << 20)
#define INI_LINE_MAX 4096

enum ini_section {
	INI_EAL, // "eal options"
	INI_VARIABLES,
	INI_DEFAULTS,
	INI_GLOBAL,
	INI_LUA,  // its lines are text: name is all of the line, value is ""
	INI_PORT, // "port N"
	INI_CORE, // "core LIST"
};

struct ini_item {
	unsigned line;
	enum ini_section section; // that it is or belongs to
	bool header;		  // "[name argument]"
	const char *name;	  // of the key; of the section without its argument
	const char *value;	  // of the key; argument of the section, "" when it has none
};

struct ini {
	char *text; // that items point into
	struct ini_item *items;
	size_t n, room;
};

// Comments run from ';' to the end of the line; a line that begins with '#' is one. White space
// around names and values is gone, tabs have become blanks. Refused: NUL and control characters,
// text that is not UTF-8, long lines, keys outside a section, unknown sections.
// *ret is to be released with ini_done. Messages begin with "LINE: ".
int ini_parse(const char *text, size_t len, struct ini *ret, struct err *err);
void ini_done(struct ini *ini);

// Whether s is UTF-8 without control characters: fit for terminals and JSON.
bool ini_text_ok(const char *s);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a configuration says, line by line, before anybody knows what it means: [lua] has run, variables
// are replaced.
#pragma once

#include "config/config.h"
#include "config/read/ini.h"

struct script;

struct entries {
	const char *file;   // its name, for messages
	struct ini ini;	    // as written; its list with all values replaced
	struct script *lua; // that has run; NULL: the file has no [lua]
};

// folder: where [lua] finds files; NULL: nowhere. o: never NULL. Keys that -D gives are the last of the list,
// of the section INI_GIVEN. *ret is to be released with entries_done, also on failure.
int entries_read(
	const char *text,
	size_t len,
	const char *file,
	const char *folder,
	const struct conf_overrides *o,
	struct entries *ret,
	struct err *err
);
void entries_done(struct entries *e);

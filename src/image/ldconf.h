// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The folders where this machine's dynamic loader looks for libraries: those of /etc/ld.so.conf, then
// its own. Format: ldconfig(8).
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct ldconf_dir {
	char *path;   // free of links
	bool builtin; // the loader looks there by itself
};

struct ldconf {
	struct ldconf_dir *v;
	size_t n;
};

void ldconf_done(struct ldconf *c);
#define _cleanup_ldconf_ __attribute__((cleanup(ldconf_done)))

int ldconf_read(struct ldconf *ret, struct err *err);

enum ldconf_word {
	LDCONF_DIR,	// a folder
	LDCONF_INCLUDE, // a pattern of further files
};

// Calls fn for what a file says, in its order, until it returns other than 0, which is returned then.
int ldconf_parse(
	char *text, int (*fn)(enum ldconf_word what, const char *word, void *arg), void *arg
);

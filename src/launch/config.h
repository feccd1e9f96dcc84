// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// --config: configuration that the host reads, and the program finds read-only, wherever it runs. It is a copy: what
// happens to the file afterwards, or to the server it came from, changes nothing for who has it.
#pragma once

#include "base/err.h"

#include <stddef.h>

#define CONFIG_MAX 16		// that may be asked for
#define CONFIG_FILES 512	// in all of them
#define CONFIG_BYTES (8u << 20) // of all files
#define CONFIG_SECONDS 30	// for one URL

struct launch;

struct config_file {
	char *name; // below the directory of configuration, directories with slashes
	char *text; // UTF-8 without NUL
};

struct config {
	unsigned n; // asked for
	struct {
		const char *source; // as it is asked for
		char *path;	    // absolute, of a file or directory; NULL: a URL
		char *name;	    // of what it is to the program
		const char *sha256; // 64 digits; NULL: whatever comes
	} asked[CONFIG_MAX];
	unsigned nfiles;
	size_t bytes;
	struct config_file files[CONFIG_FILES];
	const char *dir; // where the program finds them
	char *env;	 // PINFOLD_CONFIG=…
	char **argv;	 // the launch's, with the path
};

// --config FILE|DIR|URL and --sha256 HEX, of the one before it.
int config_ask(const char *s, struct launch *launch, struct err *err);
int config_expect(const char *s, struct launch *launch, struct err *err);

// Reads and fetches all. From then on the program's words CONFIG and CONFIG/… are the path of the first, and
// PINFOLD_CONFIG is in its environment.
int config_read(struct launch *launch, struct err *err);

void config_done(struct config *c);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The command line of an OCI runtime, as crun and runc have it: what of it says which container is meant. Whatever
// else it has is the runtime's business.
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct command {
	char *const *argv;			// all of it
	const char *name;			// "create"; NULL: there is none
	const char *root, *log, *log_format;	// NULL: not said
	const char *bundle, *config, *pid_file; // of create, run and restore; NULL: not said
	const char *cpus, *mems, *resources;	// of update; NULL: not said
	bool detached;				// of run and restore
	const char *id;				// of the container; NULL: there is none
};

enum grammar {
	GRAMMAR_ARGP, // crun
	GRAMMAR_GO    // runc
};

// argv ends with NULL. Borrows from it.
void command_read(char *const *argv, enum grammar grammar, struct command *ret);

// The same words but for those that say who manages cgroups. ret: room for as many.
void command_without_manager(char *const *argv, enum grammar grammar, char **ret);

bool command_is(const struct command *c, const char *name);

// True for those that make a container.
bool command_makes(const struct command *c);

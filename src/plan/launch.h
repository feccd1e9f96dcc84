// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What to start in a grant: the program and the way it wants to be started.
#pragma once

#include "ledger/ledger.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LAUNCH_LISTS 64
#define LAUNCH_JOINS 2

// Limits that a user may accept to do without (--allow-missing=…), as bits of HOST_CG_*.
struct launch_volume {
	const char *source; // absolute path on the host
	dev_t dev;	    // and what was there when it was looked up
	ino_t ino;
	const char *target; // absolute path in the container
	bool readonly, directory;
};

struct launch {
	enum lease_place place;
	const char *image;   // directory with a root file system; NULL: what the host has
	char *const *argv;   // program and arguments, NULL-terminated
	const char *program; // for a container: the path argv[0] was found at, in the container
	unsigned nenv;
	const char *env[LAUNCH_LISTS]; // "NAME=value"
	unsigned nvolumes;
	struct launch_volume volumes[LAUNCH_LISTS];
	uint32_t uid, gid;    // in the container
	const char *hostname; // NULL: the grant's name
	bool terminal, interactive, detached;
	const char *runtime; // path of crun or runc
	bool runtime_is_runc;
	const char *inside; // path of pinfold-inside on the host
	bool found;	    // runtime and inside were found by launch_find_tools, which owns them
	unsigned allow_missing; // HOST_CG_* bits
	bool look;		// only a plan to be read, not carried out
	const char *apparmor;	// profile, or "unconfined"; NULL: pinfold's own where it is loaded
	// control files of cgroups, open for writing: the container's init moves itself there. Of a keeper
	unsigned njoins;
	int joins[LAUNCH_JOINS];
	json_t *filter; // of system calls, where the grant's was read before; NULL: read it. Borrowed
	const char *seccomp_listener; // socket that is asked about every call; NULL: none
};

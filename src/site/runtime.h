// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The runtimes that make containers, and how they differ.
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct runtime_kind {
	const char *name;      // as it says to --version
	unsigned major, minor; // the first version that will do
	const char *manager;   // option: who manages cgroups; NULL: it has none, and needs cgroups
	const char *started; // file of its state that is there once it can be asked for a container
	const char *init;    // and there: the key of the number of its first process
	bool sets_limits; // of processes, as config.json says; else they are those of who starts it
	bool sees_bundle; // its exec reads the bundle
	bool calls_filtered; // makes calls of its own under the container's filter
	bool usual_v1; // looks for cgroups of version 1 at /sys/fs/cgroup alone; of version 2 each does
};

extern const struct runtime_kind runtime_crun, runtime_runc;

struct runtime {
	const struct runtime_kind *kind; // NULL: none
	char path[256];			 // of the program: "/usr/bin/crun"
};

// Of that kind, without looking.
void runtime_assume(struct runtime *ret, const struct runtime_kind *kind, const char *path);

// The path of crun or, where there is none, of runc. New string, NULL when none is.
char *runtime_installed(void);

// Says that there is none. -ENOENT.
int runtime_missing(struct err *err);

// The one that is asked for by its path, or the one that is installed; what it is it says itself. Asks a
// program of the host, with what that needs, unless it did before.
int runtime_find(struct runtime *ret, const char *asked, struct err *err);

// In a process that becomes a runtime: an environment with nothing of the caller's. state: a directory for
// what it makes for a moment; NULL: as it has it.
void runtime_environment(const char *state);

// The same directory alone.
void runtime_state_in(const char *dir);

// For one that becomes a runtime outside of a workload's fence: crun makes a file and mounts itself
// on it for a moment, here where the kernel drops both if it is killed just then.
int runtime_scratch(struct err *err);

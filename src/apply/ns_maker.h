// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A process that makes a namespace and stays in it until the namespace is kept at a path: as long as it is there the
// namespace is. It ends with its parent.
#pragma once

#include "base/err.h"

#include <sys/types.h>

struct maker {
	pid_t pid; // 0: none
	int fd;
};

// Starts it: it makes a namespace for itself by `make`, whose error maker_wait returns.
typedef int (*maker_fn)(const void *arg, struct err *err);
int maker_begin(struct maker *ret, maker_fn make, const void *arg, struct err *err);

// Waits until it has made it; -ETIMEDOUT after some seconds. what: "make a network namespace".
int maker_wait(const struct maker *m, const char *what, struct err *err);

// Writes a map of its user namespace, "uid_map" or "gid_map" (user_namespaces(7)). what: as of maker_wait.
int maker_map(
	const struct maker *m, const char *what, const char *file, const char *map, struct err *err
);

// Binds its namespace, of a kind that is called so in /proc/PID/ns and so in words, to a path, which may not be there
// yet: it lasts as long as the mount namespace that has the path.
int maker_keep(
	const struct maker *m, const char *kind, const char *word, const char *path, struct err *err
);

void maker_end(struct maker *m);

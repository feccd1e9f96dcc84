// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A process that makes a namespace and stays in it until the namespace is kept at a path.

#ifndef PINFOLD_APPLY_MAKER_H
#define PINFOLD_APPLY_MAKER_H

#include "base/err.h"

#include <sys/types.h>

// Waits until the maker at the other end of fd has something to say; -ETIMEDOUT after some seconds.
// what: what it makes.
int maker_wait(int fd, const char *what, struct err *err);

// Binds the maker's namespace, of a kind that is called so in /proc/PID/ns and so in words, to a path, which may not be there yet: it
// lasts as long as the mount namespace that has the path.
int maker_keep(pid_t pid, const char *kind, const char *word, const char *path, struct err *err);

#endif

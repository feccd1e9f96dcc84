// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whose a directory was that a program has been given, where the lease does not tell: the machine went down meanwhile (leases
// end with the boot), the lease cannot be read, or the directory has been renamed.
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define HANDLE_STR 288 // "TYPE.BYTES" of name_to_handle_at(2), "-" where the file system has none

struct owner_record {
	uint32_t range; // of ids, that the program's are of
	unsigned uid, gid, mode;
	unsigned long long dev, ino; // dev: in that boot
	bool this_boot;
	char lease[NAME_MAX_LEN + 1];
	char handle[HANDLE_STR];
	char path[PATH_MAX];
};

// Before the open directory is given to uid, of that lease's range. It is on disk when this returns.
int owner_record_write(
	uint32_t uid,
	const char *lease,
	const char *path,
	int fd,
	const struct stat *st,
	struct err *err
);

// The record that fn takes, which returns true for it. false: none.
typedef bool (*owner_record_fn)(const struct owner_record *r, void *arg);
bool owner_record_find(owner_record_fn fn, void *arg, struct owner_record *ret);

// What was written of the open directory that uid has, as st says: found by its path, or by what the file system calls it,
// whatever its path is now.
bool owner_record_of(
	uint32_t uid, const char *path, int fd, const struct stat *st, struct owner_record *ret
);

// Opens (O_PATH) the directory that was given at that path to a program of the range, whatever its path is now. -1, with
// ESTALE: it is no more; else it is not known where it is.
int owner_record_open(uint32_t range, const char *path);

// It has been given back. Also what a writer that was killed has left.
void owner_record_remove(uint32_t uid, const char *path);

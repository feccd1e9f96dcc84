// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whose a directory was that a program has been given, for a machine that goes down meanwhile: leases end with the boot.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct owner_record {
	unsigned uid, gid, mode;
};

// Before it is given to uid, of a workload's range. It is on disk when this returns.
int owner_record_write(uint32_t uid, const char *path, const struct stat *st, struct err *err);

// What was written of the directory that uid has, in an earlier boot: in this one a workload may have it whose lease cannot be
// read. false: there is nothing.
bool owner_record_read(uint32_t uid, const char *path, struct owner_record *ret);

// It has been given back. Also what a writer that was killed has left.
void owner_record_remove(uint32_t uid, const char *path);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A directory for files of a command, which goes with it; what one that was killed has left goes with the next.
#pragma once

#include "base/err.h"

struct work_dir {
	char *path; // NULL: there is none
	int lock;   // held for as long as it is used
};

// In TMPDIR, else in /tmp.
int work_dir_make(struct work_dir *ret, struct err *err);
void work_dir_remove(struct work_dir *w);

// What TMPDIR says, or "/tmp".
const char *work_dir_parent(void);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// write(2) whose failure always has a reason: a short one (a full disk, a limit) leaves errno as it was.
#pragma once

#include <stddef.h>

// As often as it takes. 0 or -errno.
int write_all(int fd, const char *data, size_t len);
// In one call, for whom a part would be another value. 0 or -errno; -EIO of less.
int write_once(int fd, const char *data, size_t len);

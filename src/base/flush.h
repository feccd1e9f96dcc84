// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a command prints has not been printed until it is written.
#pragma once

#include "base/err.h"

// Writes what is still in standard output's buffer. Fails when that, or anything before, could not be
// written (a full disk); a reader that went away (EPIPE) has what he wanted.
int flush_stdout(struct err *err);

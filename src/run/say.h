// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A word to whoever looks after a workload.
#pragma once

#include "ledger/ledger.h"

// One line: into the log of a detached workload, or of a keeper's, else to standard error. Never waits.
void say_of(const struct lease *lease, const char *line);

// Into NAME.log there. Nothing when that has its LOG_BYTES: its writer makes room once the program says something.
void say_in_log(int dir, const char *name, const char *line);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
#pragma once

#include <stdbool.h>

// Whether this process is in the machine's first namespace of a kind ("ipc", "pid", …), as programs
// outside of any container are. False where the kernel gives it no number that is known.
bool first_namespace(const char *kind);

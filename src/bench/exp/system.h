// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A virtual machine with an ordinary operating system: systemd as its first process, from the host's own files.
#pragma once

#include "bench/bench.h"

// Adds how long it takes to boot, or why that cannot be told.
int system_startup(struct bench *b, struct result *r, struct err *err);

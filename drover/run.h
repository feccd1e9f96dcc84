// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
#pragma once

#include "drover.h"

// Reads the file, starts EAL, ports and tasks; runs until a signal or the duration is over, and prints
// the report. With o->check: everything but traffic.
int drover_run(const struct run_options *o, struct err *err);

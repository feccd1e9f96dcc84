// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the tester itself can do, before anything is measured with it.
#pragma once

#include "bench/bench.h"

// Rows of the tester that gets back what it sends over a ring of its own: its highest rate, and the error of its meter.
int instruments_loopback(struct bench *b, struct result *r, struct err *err);

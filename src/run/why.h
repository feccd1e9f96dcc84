// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
#pragma once

#include "run/log.h"
#include "run/run.h"

// Notes it, in words that help, of a program that failed so soon that it had not started, where what it said is known and nothing
// else is noted. log: what it said is there; LOG_NONE: it was carried. Nothing of one that was told to end: by a
// signal of which it ended, or by one that was handed on to it.
void why_it_failed(struct outcome *out, const struct log *log, int64_t ran_ms);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// One step of a preparation, and its undo.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct prepare_step {
	const char *kind, *path, *value, *former; // borrowed
	const char *name;			  // what people call it; "": its path
	const char *start;			  // thread: when it began; else ""
	int which;				  // of the kinds
};

// Strict.
int prepare_step_read(const json_t *j, struct prepare_step *ret, struct err *err);

// Others than those that move something have to work.
bool prepare_step_may_fail(const struct prepare_step *s);

int prepare_step_do(const struct prepare_step *s, struct err *err);
// What is not so any more is no error.
int prepare_step_undo(const struct prepare_step *s, struct err *err);

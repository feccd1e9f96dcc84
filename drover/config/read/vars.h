// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Variables of a configuration: "$name" and "${name}" in values.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define VARS_MAX 256
#define VARS_DEPTH 16  // of variables within variables
#define VALUE_MAX 8192 // of a value once its variables are replaced, with its NUL

struct var {
	const char *name, *value; // borrowed
	unsigned line;		  // where it is defined; 0: on the command line
	bool busy;		  // being replaced now
	bool used;
};

struct script;

struct vars {
	struct script *lua; // whose strings and numbers are variables as well; NULL: none
	unsigned n;
	struct var v[VARS_MAX];
};

// The variable of that name, or NULL. len: of the name.
struct var *vars_find(struct vars *vars, const char *name, size_t len);
// Defines a variable that is not there yet. name: without '$'.
int vars_add(
	struct vars *vars, const char *name, const char *value, unsigned line, struct err *err
);
// Writes text with its variables replaced.
int vars_expand(struct vars *vars, const char *text, char ret[static VALUE_MAX], struct err *err);

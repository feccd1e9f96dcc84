// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The options of a command, with one-line errors that name the nearest one.
#pragma once

#include "base/err.h"

struct option;

// As getopt_long(3) with `shorts` (begin with "+" to stop at the first operand): a letter, -1 at the end, or '?' with err set: "unknown option
// 'X'; did you mean '--Y'?", else "; see HELP". Start with optind = 0.
int options_next(
	int argc,
	char **argv,
	const char *shorts,
	const struct option *longs,
	const char *help,
	struct err *err
);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The options of a command, with one-line errors that name the nearest one.
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define OPTIONS_MAX 64

struct option_row;
typedef int option_take(const struct option_row *o, const char *value, struct err *err);

// An option, in one row of a table that ends with {0}. What it sets is said by one of the next four; a row that sets
// nothing is the one that asks for help.
struct option_row {
	const char *name;  // NULL: it has but its letter
	char letter;	   // that stands for it as well, after one dash; 0: none does
	bool *flag;	   // true with it
	const char **text; // its value
	unsigned *number;  // its value, from min to max
	option_take *take; // is given its value
	unsigned min, max;
	void *to; // for take
};

// Appends a row to such a table, which has room for OPTIONS_MAX of them and the last.
void options_add(struct option_row *rows, const struct option_row *row);

// Takes the options of argv; operands are from argv[optind] on. anywhere: options may also stand behind them, else the
// first operand is the end of the options. 1: help is asked for, and what follows was not looked at. Errors: "unknown
// option 'X'; did you mean '--Y'?", else "; see HELP", and what a row says of its value.
int options_read(
	int argc,
	char **argv,
	bool anywhere,
	const struct option_row *rows,
	const char *help,
	struct err *err
);

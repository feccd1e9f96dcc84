// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A file of tuned's, which reads them with Python's configparser: "[section]", "key = value", values that go on in lines that
// are indented, comments behind "#" or on lines that begin with ";". What stands before the first section has none.
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct tuned_file {
	FILE *f; // NULL: it is empty
	bool held;
	char section[64], key[64], value[2048]; // of what was found last; values in one line
	char line[2048];
};

// The next key; false: there is none.
bool tuned_file_next(struct tuned_file *t);

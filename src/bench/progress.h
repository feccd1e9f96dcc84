// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a person who waits is told: one line on standard error, written over on a terminal.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool terminal, shown;
	int64_t until_ms; // clock_ms(): about when all of it ends; 0: not known
	char last[256];
};

void progress_begin(struct progress *p);
void progress_say(struct progress *p, const char *text);
// Takes the line away, before something else is printed.
void progress_clear(struct progress *p);

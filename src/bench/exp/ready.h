// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How long a program takes to be ready, from just before the fork of the command that starts it.
#pragma once

#include "bench/child.h"

struct ready {
	double ready_ms; // until it said the word
	double end_ms;	 // until the command had ended
};

// Waits for a word in what a program that was started with stdout_pipe prints; -EIO: it ended without it.
int ready_word(struct child *c, const char *word, unsigned milliseconds, struct err *err);

// Starts a command and waits for a word in what it prints (standard output and standard error), then for its end with
// status 0. *ret_text: all it printed (free it); NULL: nobody wants it.
int ready_time(
	struct bench *b,
	const struct child_how *how,
	const char *word,
	unsigned milliseconds,
	struct ready *ret,
	char **ret_text,
	struct err *err
);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The parts of `drover top`: samples over its socket, pages of text from them, and the screen.
#pragma once

#include "base/err.h"
#include "client/client.h"
#include "text/lines.h"

#include <stdbool.h>

struct top_options {
	struct client_target target;
	double interval; // seconds
	bool once;	 // one sample and out
	bool json;	 // a line of JSON a sample, no screen
};

// ---- top_sample.c

// Everything that is shown, at one moment:
//   {"socket", "info": {…}, "seconds": what the rates are over, "tasks": […], "ports": […],
//    "rings": […], …}
// It is the answer to "report". A task, port or ring has an "interval" in addition: its rates since the sample
// before; since the start or the last clear where there is none (prev NULL, another drover, a clear in between).
// *ret is a new reference.
int sample_take(struct client *c, const json_t *prev, json_t **ret, struct err *err);
// Adds the intervals to an answer, whatever it is: who answers may be anybody.
void sample_rates(json_t *sample, const json_t *prev);

// ---- top_page.c

// A sample as lines of at most width characters (0: any).
void page_lines(const json_t *sample, size_t width, struct lines *l);

// ---- top_keys.c: what a key does to drover

enum top_action {
	ACTION_TOGGLE, // start or stop the task
	ACTION_CLEAR,
	ACTION_FASTER,
	ACTION_SLOWER,
};

// Does it to the task (an object of a sample, which is brought up to date; NULL: none is selected), and
// says in line what was done, or why not. Fails only when the connection is lost.
int action_do(
	struct client *c,
	enum top_action action,
	json_t *task,
	char *line,
	size_t len,
	struct err *err
);

// ---- top_screen.c

// Shows samples until the user leaves.
int screen_run(const struct top_options *o, struct err *err);

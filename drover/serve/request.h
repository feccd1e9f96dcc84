// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A request to a running drover: a line with a JSON object, {"request": NAME, ARGUMENT: VALUE…}.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct plane;

#define REQUEST_MAX 8192 // bytes of a line
#define REQUEST_ARGS 6

enum {
	ARG_TEXT = 1 << 0,
	ARG_NUMBER = 1 << 1, // whole, from 0 to REQUEST_NUMBER
	ARG_NEEDED = 1 << 2,
};
#define REQUEST_NUMBER UINT32_MAX

struct request {
	const char *name;
	// The answer, a new object, or NULL with err set. q is as the row says. Under report_lock.
	json_t *(*answer)(struct plane *p, const json_t *q, struct err *err);
	const char *help;
	bool own; // over drover's own socket alone: it changes something, or DPDK's telemetry cannot carry it
	struct request_arg {
		const char *name; // NULL: no more
		unsigned is;
	} args[REQUEST_ARGS];
};

// Reads a line, without its end. rows: up to one without a name. *q is a new reference to what was asked,
// which has what the row *ret wants.
int request_parse(
	const char *line,
	size_t len,
	const struct request *rows,
	const struct request **ret,
	json_t **q,
	struct err *err
);

// The row of what was asked, or NULL: err says what is wrong with it.
const struct request *request_check(const json_t *q, const struct request *rows, struct err *err);

#define USAGE_MAX 160
// How drover ask is given it: "rate task=... pps=...", or "stop [task=...]".
const char *request_usage(const struct request *r, char buf[static USAGE_MAX]);

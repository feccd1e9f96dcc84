// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A drover's own socket (docs/drover-stats.md): a line with a request, a line with its answer. No wait is longer than
// CONTROL_MS.
#pragma once

#include "base/err.h"

#include <jansson.h>

#define CONTROL_MS 5000

// Connects. A descriptor, or negative: ENOENT and ECONNREFUSED while drover starts.
int control_open(const char *path, struct err *err);

// Sends a request, which is released, and gives its answer as a new reference. `what` names the drover in messages. An
// answer that says {"error": …} fails with that.
int control_ask(int fd, const char *what, json_t *request, json_t **ret, struct err *err);

// The same where only a failure matters.
int control_tell(int fd, const char *what, json_t *request, struct err *err);

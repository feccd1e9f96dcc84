// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What pinfold reads of a machine, in one file, to be looked at on another: a JSON object of the version of pinfold, and
// of paths with the text of a file, {"link": TARGET} or {"directory": true} for each.
#pragma once

#include "base/err.h"

#include <jansson.h>

// Of this machine, as far as the caller may read it. A new reference.
int capture_take(json_t **ret, struct err *err);

// Makes the files of one, text of len bytes, in a directory that is empty. what: its name in messages.
int capture_unpack(const char *text, size_t len, const char *what, int dir, struct err *err);

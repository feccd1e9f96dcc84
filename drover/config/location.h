// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Errors with their place in the file.
#pragma once

#include "base/err.h"

struct location {
	const char *file;
	unsigned line; // 0: no line of it, but the command line or the whole
};

// Sets err to "FILE:LINE: …". Returns -EINVAL.
int error_at(struct location at, struct err *err, const char *fmt, ...) printf_like(3, 4);

// Puts the place before what err says. Returns -err->code.
int wrap_at(struct location at, struct err *err);

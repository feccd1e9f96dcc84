// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Errors with their place in the file.
#pragma once

#include "base/err.h"

// Sets err to "FILE:LINE: …"; line 0: "FILE: …". Returns -EINVAL.
int error_at(const char *file, unsigned line, struct err *err, const char *fmt, ...)
	printf_like(4, 5);

// Puts the place before what err says. Returns -err->code.
int wrap_at(const char *file, unsigned line, struct err *err);

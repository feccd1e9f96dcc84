// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the plug-in has to tell, a line each on standard error, which the engine keeps.
#pragma once

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static inline void printf_like(1, 2) say(const char *fmt, ...)
{
	char line[1200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fprintf(stderr, "pinfold-device-plugin: %s\n", line);
}

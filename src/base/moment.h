// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Points of time as people write them.
#pragma once

#include "base/err.h"

#include <stdint.h>

// So long before now: "10m", "2h30m", "1d". Or a time: "2026-11-29", "2026-11-29T10:00", with seconds, a fraction of
// them, and "Z" or "+01:00" behind it (RFC 3339); without it is UTC, as all that we print. now, *ret: milliseconds
// since 1970.
int moment_parse(const char *text, int64_t now, int64_t *ret, struct err *err);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
#pragma once

#include <stdbool.h>

// Whether s is UTF-8 without control characters: fit for terminals and JSON.
bool printable(const char *s);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The exact set-up that figures were taken with.
#pragma once

#include <jansson.h>

struct bench;

// An object of words and numbers, in the order that people read them; what cannot be known is left out.
json_t *provenance(struct bench *b);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What an experiment lacks on a machine.
#pragma once

#include "bench/bench.h"

#include <jansson.h>

struct reasons {
	json_t *list; // of strings
};

// All that it lacks: a new reference. *ret_possible: whether any of it can be measured.
json_t *experiment_lacks(const struct bench *b, const struct experiment *e, bool *ret_possible);

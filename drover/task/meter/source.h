// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Who sends the streams of this process: a meter cannot see what is lost after the last packet that came, the
// generator knows. Of the control thread.
#pragma once

#include "base/err.h"

#include <stdint.h>

struct meter_source {
	uint8_t run;
	const uint64_t *sent; // of that run; written by another thread
	const char *task;
};

// Fails when the stream has one. task and sent stay the caller's.
int source_add(uint8_t stream, const struct meter_source *s, struct err *err);
void source_remove(uint8_t stream, const uint64_t *sent); // nothing if it is not that one's
// NULL: nobody here sends it.
const struct meter_source *source_find(uint8_t stream);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// JSON as DPDK's telemetry (22.11) can carry it. Telemetry knows dictionaries of unsigned
// 64-bit and signed 32-bit integers and strings, whose keys are [A-Za-z0-9_/], and it drops in silence
// what exceeds an answer. So:
//   a number with a fraction   KEY: 0.25       → KEY_millionths: 250000 (rounded; ≥ 0 only)
//   true, false                                → 1, 0
//   null                                       → the key is left out
//   an array                   KEY: [a, b]     → KEY: {"0": a, "1": b}; left out beyond 64 entries
//   a key of other characters  "tx full"       → "tx_full" ("tx_full_2" if that is taken)
//   a long or strange string                   → at most 127 printable ASCII characters
//   an integer below -2^31, a number with a fraction below 0 → a string
#pragma once

#include <jansson.h>

#define TELFORM_STRING 127
#define TELFORM_ENTRIES 256
#define TELFORM_ARRAY 64

// What an answer may hold: telemetry's 16 KiB less the frame that it puts around it.
#define TELFORM_MAX (16384 - 256)

// A new object in the form that telemetry carries, or NULL when memory is out. Of an object the first
// TELFORM_ENTRIES entries are kept.
json_t *telform(const json_t *object);

// Bytes of a value in an answer.
size_t telform_size(const json_t *value);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Private to drover/config: what the readers of values share.
#pragma once

#include "config/key.h"

// Sets err to "KEY=VALUE: wants …". Returns -EINVAL.
int key_bad(const struct key *key, const char *value, struct err *err);

// Digits, or 0x and hexadecimal digits; *end is what follows. False: none, or more than 64 bits.
bool key_digits(const char *s, const char **end, uint64_t *ret);

// The generator's own types, as key_parse.
int key_parse_gen(const struct key *key, const char *value, void *to, struct err *err);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Private to config/kind: digits and blanks.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Digits, or 0x and hexadecimal digits; *end is what follows. False: none, or more than 64 bits.
bool key_digits(const char *s, const char **end, uint64_t *ret);

static inline const char *skip_blanks(const char *s)
{
	return s + strspn(s, " ");
}

// The value of a hexadecimal digit; -1: it is none.
int key_nibble(char c);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Fields of the generator's packets that are drawn anew for each ("random=", "rand_offset=").
#pragma once

#include "base/err.h"
#include "config/key.h"

#include <stdint.h>

struct gen_random {
	unsigned n;
	uint16_t ip; // the IPv4 header whose checksum is made anew; 0: none
	struct {
		uint16_t at, len;
		uint32_t fixed, mask;
	} field[KEY_RANDOM_MAX];
};

// From a configuration. The frame of `size` bytes loses a UDP checksum that would be wrong: 0 says that
// there is none (RFC 768). meter: where the meter is, which no field may touch; UINT_MAX: nowhere.
int gen_random_make(
	const struct key_random *k,
	uint8_t *frame,
	unsigned size,
	unsigned meter,
	struct gen_random *ret,
	struct err *err
);

// On the data path: into a packet.
void gen_random_write(const struct gen_random *r, uint8_t *p);

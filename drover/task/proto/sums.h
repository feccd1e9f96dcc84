// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The Internet checksums (RFC 1071) of a packet: where they are, and which bytes count in them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SUMS_MAX 4 // three IPv4 headers in each other, and UDP or TCP

struct sum_place {
	uint16_t at;	     // of the checksum
	uint16_t first, end; // the bytes it is of
	uint16_t total;	     // of IPv4: where the packet ends, as its header says
	uint16_t pseudo; // the IPv4 header whose addresses, protocol and length count too; 0: none
	bool udp;	 // 0 says that there is none: a sum of 0 is sent as 0xffff (RFC 768)
	bool none;	 // and there is none
};

struct sums {
	unsigned n;
	struct sum_place of[SUMS_MAX];
};

// Looks through Ethernet, VLAN tags, MPLS labels, IPv4, GRE without a checksum of its own, UDP and TCP,
// as far as they are whole. Of a fragment only the IPv4 header. Reads any bytes.
void sums_find(const uint8_t *frame, unsigned size, struct sums *ret);

// How many of the `len` bytes at `at` count in the sum. The checksum itself does not.
unsigned sum_counts(const struct sum_place *s, unsigned at, unsigned len);

// The sum of what counts, not folded.
uint32_t sum_partial(const struct sum_place *s, const uint8_t *frame);

// The checksum that makes a sum right, as it stands in the packet read as a big endian number.
static inline uint16_t sum_finish(const struct sum_place *s, uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum >> 16) + (sum & 0xffff);
	sum ^= 0xffff;
	return (uint16_t)(sum == 0 && s->udp ? 0xffff : sum);
}

// Writes the checksum that is right for a frame like `like`, which may be the frame itself.
void sum_write(const struct sum_place *s, uint8_t *frame, const uint8_t *like);

// For bytes that add nothing to a sum if all of them count: a UDP checksum in which only some of the
// `len` bytes at `at` count is given up, and is 0.
void sums_part(uint8_t *frame, struct sums *s, unsigned at, unsigned len);

// Headers that sums_find found say they are of a packet of `size` bytes. Checksums are left to be made.
void sums_resize(uint8_t *frame, const struct sums *s, unsigned size);

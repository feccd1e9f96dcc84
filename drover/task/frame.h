// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The packet a generator sends.
#pragma once

#include <stdint.h>

#define FRAME_MIN 60 // without CRC: 64 on the wire
#define FRAME_MAX 9014
#define FRAME_HEADERS 42 // Ethernet, IPv4, UDP

struct frame {
	uint8_t src_mac[6], dst_mac[6];
	uint32_t src_ip, dst_ip; // host order
	uint16_t src_port, dst_port;
};

// Writes `size` bytes (FRAME_HEADERS or more): Ethernet, IPv4 and UDP with the right lengths and
// checksums (RFC 791, 768), then zeros.
void frame_build(const struct frame *f, uint8_t *at, unsigned size);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The packet a generator sends.
#pragma once

#include "config/key_gen.h"

#include <stdbool.h>
#include <stdint.h>

#define FRAME_MIN 60 // without CRC: 64 on the wire
#define FRAME_MAX 9014

// Ethernet; if the layers say so a VLAN tag, an S-tag and a C-tag, an MPLS label, IPv4 and GRE with key;
// IPv4 and UDP. As the BNG's sides have them (docs/drover-bng.md).
struct frame {
	struct key_layers layers;
	uint8_t src_mac[6], dst_mac[6];
	uint16_t stype; // EtherType of the S-tag
	uint16_t vlan, svlan, cvlan;
	uint32_t label, gre_key;
	uint32_t outer_src, outer_dst; // host order
	uint32_t src_ip, dst_ip;
	uint16_t src_port, dst_port;
};

// Bytes in front of UDP's payload: 42 to 86, with all layers.
unsigned frame_headers(const struct key_layers *l);

// Writes `size` bytes (frame_headers or more): headers with the right lengths and checksums (RFC 791,
// 768, 2784, 2890, 3032), then zeros.
void frame_build(const struct frame *f, uint8_t *at, unsigned size);

// Where a field is: its value is `bits` of the `len` bytes at `at`, above the lowest `shift`. Of a MAC the
// last four bytes. False: the layers have no such field.
struct frame_place {
	uint16_t at;
	uint8_t len, bits, shift;
};

bool frame_find(const struct key_layers *l, enum key_field field, struct frame_place *ret);

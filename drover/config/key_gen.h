// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Values of the generator's keys: its packet in words, the fields that differ from packet to packet,
// sizes that are mixed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Fields by name. The keys that give them one value for all packets have the same names.
enum key_field {
	FIELD_NONE = 0, // a place in bytes
	FIELD_DST_MAC,
	FIELD_SRC_MAC,
	FIELD_VLAN,
	FIELD_SVLAN,
	FIELD_CVLAN,
	FIELD_LABEL,
	FIELD_OUTER_SRC,
	FIELD_OUTER_DST,
	FIELD_GRE_KEY,
	FIELD_SRC_IP,
	FIELD_DST_IP,
	FIELD_SRC_PORT,
	FIELD_DST_PORT,
	FIELD_END
};

// "src ip"; "" for FIELD_NONE.
const char *key_field_name(enum key_field field);
// Bits that vary: 12 of a tag, the last 32 of a MAC. 32 for FIELD_NONE.
unsigned key_field_bits(enum key_field field);

// "template=eth/qinq/ipv4/udp": what there is between Ethernet and the last IPv4 and UDP.
struct key_layers {
	bool given, vlan, qinq, mpls, gre; // gre: and the IPv4 header that carries it
};

// "random=" and "range=", in the order of the file.
#define KEY_VARY_MAX 16

struct key_vary {
	unsigned n;
	struct key_vary_field {
		bool range; // it steps; else it is drawn
		bool bits;  // drawn by fixed and mask; else between from and to
		bool carry; // steps when the one before it begins anew
		bool placed;
		enum key_field field;
		uint8_t len;	      // FIELD_NONE: 1 to 4 bytes
		uint16_t at;	      // FIELD_NONE: of its first byte in the packet
		uint32_t fixed, mask; // in the order of the bits; mask: those that are drawn
		uint32_t from, to, step;
	} field[KEY_VARY_MAX];
};

// "imix=60:7,590:4,1514:1"
#define KEY_IMIX_MAX 128
#define KEY_IMIX_WEIGHTS 4096 // together

struct key_imix {
	unsigned n;
	struct {
		uint16_t size, weight;
	} of[KEY_IMIX_MAX];
};

// "lat pos=end": the meter is the last bytes of the packet.
#define KEY_POS_END (UINT32_MAX - 1)

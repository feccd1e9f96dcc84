// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a configuration says of a generator.
#pragma once

#include "base/err.h"
#include "config/key.h"

#define STREAM_UNSET UINT32_MAX
#define POS_UNSET UINT32_MAX
#define IP_UNSET UINT32_MAX
#define FIELD_UNSET UINT64_MAX

struct gen_conf {
	struct key_rate rate;
	uint64_t bps; // bytes
	uint32_t size, pos, stream, burst;
	struct key_imix imix;
	struct key_bytes bytes;
	char capture[KEY_TEXT_MAX], timing[KEY_TEXT_MAX];
	bool loop;
	struct key_layers layers;
	struct key_mac src_mac, dst_mac;
	uint32_t stype;
	uint64_t vlan, svlan, cvlan, label, gre_key;
	uint32_t outer_src, outer_dst;
	uint32_t src_ip, dst_ip, src_port, dst_port;
	uint64_t count, delay, duration, catch_up;
	bool meter;
	struct key_vary vary;
};

extern const struct key gen_keys[];
void gen_defaults(void *conf);

// What contradicts itself, whatever the packets and the port are.
int gen_check(const struct gen_conf *c, struct err *err);

// A packet that the user wrote is not written into unless he says where.
bool gen_meter_wanted(const struct gen_conf *c);
// Where the meter is in a packet of size bytes.
unsigned gen_meter_pos(const struct gen_conf *c, unsigned size);
bool gen_timed(const struct gen_conf *c); // "timing=capture"

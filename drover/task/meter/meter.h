// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the generator writes into a packet and the latency meter reads: 18 bytes at any position and
// alignment, little endian:
//
//    0  2  magic
//    2  1  stream
//    3  1  run: differs (but for chance) from one start of a generator to the next
//    4  4  sequence number, from 0
//    8  8  TSC when the burst was about to be sent
//   16  2  check: complement of the Internet checksum's sum (RFC 1071) over the 16 bytes before it
//
// With the check the 18 bytes always add nothing to an Internet checksum, at any position: the UDP
// checksum of a packet is right whatever the meter says, and is computed once.
#pragma once

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <stdint.h>
#include <string.h>

#define METER_SIZE 18
#define METER_POS 42 // after Ethernet, IPv4 and UDP: together 60 bytes, 64 on the wire
#define METER_MAGIC 0x4d50
#define METER_STREAMS 256

struct meter {
	uint8_t stream, run;
	uint32_t seq;
	uint64_t stamp;
};

enum meter_state {
	METER_OK = 0,
	METER_NONE, // no magic
	METER_BAD,  // the check is wrong
};

// The first 8 bytes. Adding 1 << 32 counts the sequence number up, wrapping as it should.
static __rte_always_inline uint64_t meter_id(uint8_t stream, uint8_t run, uint32_t seq)
{
	return METER_MAGIC | (uint64_t)stream << 16 | (uint64_t)run << 24 | (uint64_t)seq << 32;
}

#define METER_NEXT (UINT64_C(1) << 32)

static __rte_always_inline uint16_t meter_check(uint64_t id, uint64_t stamp)
{
	uint64_t sum = id + stamp;

	sum += sum < id;
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}

// Writes METER_SIZE bytes.
static __rte_always_inline void meter_write(void *at, uint64_t id, uint64_t stamp)
{
	uint16_t check = rte_cpu_to_le_16(meter_check(id, stamp));
	uint64_t words[2] = {rte_cpu_to_le_64(id), rte_cpu_to_le_64(stamp)};

	memcpy(at, words, sizeof(words));
	memcpy((char *)at + sizeof(words), &check, sizeof(check));
}

// Reads METER_SIZE bytes; *ret is written in any case.
static __rte_always_inline enum meter_state meter_read(const void *at, struct meter *ret)
{
	uint64_t words[2], id;
	uint16_t check;

	memcpy(words, at, sizeof(words));
	memcpy(&check, (const char *)at + sizeof(words), sizeof(check));
	id = rte_le_to_cpu_64(words[0]);
	ret->stream = (uint8_t)(id >> 16);
	ret->run = (uint8_t)(id >> 24);
	ret->seq = (uint32_t)(id >> 32);
	ret->stamp = rte_le_to_cpu_64(words[1]);
	if (unlikely((uint16_t)id != METER_MAGIC))
		return METER_NONE;
	if (unlikely(rte_le_to_cpu_16(check) != meter_check(id, ret->stamp)))
		return METER_BAD;
	return METER_OK;
}

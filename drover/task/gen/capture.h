// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The packets of a capture file, pcap or pcapng, for the generator to send.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CAPTURE_PACKETS (4u << 20)
#define CAPTURE_BYTES (512u << 20)

struct capture_packet {
	uint32_t at;  // in data
	uint16_t len; // FRAME_MIN to FRAME_MAX: shorter ones are padded with zeros
	uint64_t gap; // ns until the next one, at most a year; of the last, the mean of the others
};

struct capture {
	uint32_t n;   // 1 or more
	uint32_t odd; // of their times cannot be
	unsigned shortest, longest;
	uint64_t bytes;
	struct capture_packet *packet;
	uint8_t *data;
};

// Reads all of a regular file. Fails with one line for what is no capture of Ethernet, is damaged, holds
// no packet, one that was cut when it was captured or is longer than FRAME_MAX, or more than the limits
// above. A time that cannot be, before that of
// an earlier packet or more than a year later, is counted as odd, and no time passes until it. Free with
// capture_done.
int capture_read(const char *path, struct capture *ret, struct err *err);

// The same from a stream, which is closed in any case. name: for errors.
int capture_load(FILE *f, const char *name, struct capture *ret, struct err *err);

// Whether a file is one of whole Ethernet packets, however many and long.
int capture_check(const char *path, struct err *err);

void capture_done(struct capture *c);

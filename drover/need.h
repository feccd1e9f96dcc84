// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a configuration needs to start, in the words of a grant of pinfold.
#pragma once

#include "base/err.h"
#include "config/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define NEED_SIZES 4 // of hugepages

struct need {
	unsigned cpus; // one for each core that polls
	unsigned nsizes;
	struct {
		uint64_t size, count;
	} hugepages[NEED_SIZES];
	uint64_t memory; // ordinary: bytes
	unsigned pids;	 // 0: what a grant has anyway
	// as the options --link and so on have them
	json_t *links, *nics, *kernel_ports, *netdevs, *caps;
};

// What its devices are in a grant. To be released with need_done, in any case.
int need_devices(const struct conf *c, struct need *ret, struct err *err);
void need_done(struct need *n);

// The flags of pinfold run, for a shell. A new string; NULL: out of memory.
char *need_flags(const struct need *n);
// The document that `pinfold run --from` reads. A new reference; NULL: out of memory.
json_t *need_request(const struct need *n);

// measure.c, with DPDK: from EAL's start on the hugepages are counted, and in the end it is said what there was at most.
void measure_begin(void);
int measure_end(
	const struct conf *c, bool no_huge, unsigned cpus, struct need *ret, struct err *err
);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// An interface of the kernel by packet sockets (packet(7)). DPDK's driver for it makes an S-tag a C-tag, hands
// on frames that were cut, leaves half-done the checksums of a local kernel and counts nothing of all that.
// So a null device is the port, and what it receives and sends is done here, in its callbacks.
#pragma once

#include "base/err.h"

#include <rte_ethdev.h>
#include <stdbool.h>

struct packet_port;
struct rte_mempool;

// For a port that is set up and not started. Made once, and lives as long as the process.
int packet_start(
	const char *interface,
	bool promiscuous,
	uint16_t port,
	struct rte_mempool *pool,
	struct packet_port **ret,
	struct err *err
);

// Fills what the port has counted. ierrors: frames that were cut, or that the kernel had not cut into
// packets yet; imissed: the ring was full; oerrors: what the interface does not take.
void packet_count(struct packet_port *p, struct rte_eth_stats *ret);

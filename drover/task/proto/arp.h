// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// ARP (RFC 826) of machines with Ethernet and IPv4 addresses.
#pragma once

#include <rte_common.h>
#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

#define ARP_LEN 28

struct arp_seen {
	uint8_t mac[8];		 // who sent the frame, and two bytes of no meaning
	uint32_t sender, target; // addresses, as in the packet
	bool request;
};

// Reads the ARP packet that begins `at` bytes behind eth, ARP_LEN bytes. False: it is of another kind.
// What hardware address it names does not count: packets for its sender go where the frame came from, as
// they do when its traffic is learned from.
bool arp_read(const struct rte_ether_hdr *eth, unsigned at, struct arp_seen *ret);

// A question for an address that we answer for: the gateway's (as in a packet), or with 0 everyone's
// but the sender's own (which asks whether somebody else has it, RFC 5227).
bool arp_wants_reply(const struct arp_seen *s, uint32_t gateway);

// Turns the request into its answer, in place: the address is at `own`.
void arp_reply(struct rte_ether_hdr *eth, unsigned at, const struct rte_ether_addr *own);

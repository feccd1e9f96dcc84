// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The access side's header: Ethernet, S-tag, C-tag, type (IEEE 802.1Q, 802.1ad; paper, figure 9). And
// what is in front of a subscriber's packet on the core side: Ethernet, MPLS label (RFC 3032), IPv4,
// GRE with key (RFC 2890; paper, figure 10).
#pragma once

#include "base/err.h"

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <stdint.h>

struct qinq_hdr {
	struct rte_ether_addr dst, src;
	uint16_t stype, stag; // as in the packet
	uint16_t ctype, ctag;
	uint16_t type;
} __attribute__((packed)) __rte_aligned(2);

#define QINQ_LEN sizeof(struct qinq_hdr) // 22

struct tunnel_hdr {
	struct rte_ether_addr dst, src;
	uint16_t type;
	uint32_t label;
	struct rte_ipv4_hdr ip;
	uint16_t gre_flags, gre_type;
	uint32_t gre_key;
} __attribute__((packed)) __rte_aligned(2);

#define TUNNEL_LEN sizeof(struct tunnel_hdr) // 46
#define TUNNEL_AFTER_LABEL (sizeof(struct rte_ipv4_hdr) + 8)

#define GRE_KEY 0x2000 // flags: a key follows, nothing else

// The EtherType of an S-tag as a configuration says it. DPPD's files have the bytes the other way
// round: 0x0081 and 0xa888 are understood as 0x8100 and 0x88a8. 0: 0x88a8. EINVAL: another.
int qinq_stype(uint32_t configured, uint16_t *ret, struct err *err);

// Both tags' types where they are in a packet, from its 12th byte: stype, stag, ctype, ctag.
static __rte_always_inline uint64_t qinq_types(uint16_t stype)
{
	return (uint64_t)rte_cpu_to_be_16(stype)
	       | (uint64_t)rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) << 32;
}

#define QINQ_TYPES_MASK UINT64_C(0x0000ffff0000ffff) // little endian, as x86 is

// The same of a C-tag's type, and IPv4's behind it, from the 16th byte.
#define QINQ_CTAG_IPV4 \
	((uint64_t)RTE_BE16(RTE_ETHER_TYPE_VLAN) | (uint64_t)RTE_BE16(RTE_ETHER_TYPE_IPV4) << 32)

// svlan << 12 | cvlan of those 8 bytes, without priorities.
static __rte_always_inline uint32_t qinq_tags(uint64_t v)
{
	return (rte_be_to_cpu_16((uint16_t)(v >> 16)) & 0xfffu) << 12
	       | (rte_be_to_cpu_16((uint16_t)(v >> 48)) & 0xfffu);
}

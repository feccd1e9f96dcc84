// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/proto/arp.h"

#include <rte_arp.h>
#include <rte_byteorder.h>
#include <string.h>

_Static_assert(sizeof(struct rte_arp_hdr) == ARP_LEN, "an ARP packet");

bool arp_read(const struct rte_ether_hdr *eth, unsigned at, struct arp_seen *ret)
{
	const struct rte_arp_hdr *arp = (const void *)((const char *)eth + at);
	uint16_t op = rte_be_to_cpu_16(arp->arp_opcode);

	if (arp->arp_hardware != rte_cpu_to_be_16(RTE_ARP_HRD_ETHER)
	    || arp->arp_protocol != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)
	    || arp->arp_hlen != RTE_ETHER_ADDR_LEN || arp->arp_plen != sizeof(uint32_t)
	    || (op != RTE_ARP_OP_REQUEST && op != RTE_ARP_OP_REPLY))
		return false;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->mac, &eth->src_addr, RTE_ETHER_ADDR_LEN);
	ret->sender = arp->arp_data.arp_sip;
	ret->target = arp->arp_data.arp_tip;
	ret->request = op == RTE_ARP_OP_REQUEST;
	return true;
}

bool arp_wants_reply(const struct arp_seen *s, uint32_t gateway)
{
	// a probe of an address that is not ours is nobody's but the other CPEs' to answer
	if (!s->request || (gateway == 0 && s->sender == 0))
		return false;
	return gateway != 0 ? s->target == gateway : s->target != s->sender;
}

void arp_reply(struct rte_ether_hdr *eth, unsigned at, const struct rte_ether_addr *own)
{
	struct rte_arp_hdr *arp = (void *)((char *)eth + at);
	uint32_t asked = arp->arp_data.arp_tip;

	eth->dst_addr = eth->src_addr;
	eth->src_addr = *own;
	arp->arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = *own;
	arp->arp_data.arp_sip = asked;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whose a packet is, and what is written into it.

#include "task/vnf/police_packet.h"
#include "task/proto/ip4.h"
#include "task/proto/mpls.h"
#include "task/proto/qinq.h"

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

unsigned police_ip(const uint8_t *p, unsigned len)
{
	unsigned at = RTE_ETHER_HDR_LEN;
	uint16_t type;

	if (len < at)
		return 0;
	type = be16(p + 12);
	for (unsigned tags = 0; tags < 2; tags++) {
		if (type != RTE_ETHER_TYPE_VLAN && type != RTE_ETHER_TYPE_QINQ)
			break;
		if (len < at + RTE_VLAN_HLEN)
			return 0;
		type = be16(p + at + 2);
		at += RTE_VLAN_HLEN;
	}
	if (type == RTE_ETHER_TYPE_MPLS) {
		for (unsigned n = 0; n < MPLS_LABELS; n++, at += MPLS_LEN) {
			if (len < at + MPLS_LEN + 1)
				return 0;
			if ((p[at + 2] & 1) != 0) {
				at += MPLS_LEN;
				return p[at] >> 4 == 4 || p[at] >> 4 == 6 ? at : 0;
			}
		}
		return 0;
	}
	if (len <= at)
		return 0;
	if (type == RTE_ETHER_TYPE_IPV4)
		return p[at] >> 4 == 4 ? at : 0;
	return type == RTE_ETHER_TYPE_IPV6 && p[at] >> 4 == 6 ? at : 0;
}

bool police_key(const uint8_t *p, unsigned len, unsigned at, uint32_t *ret)
{
	unsigned header = (p[at] & 15u) * 4;

	if (p[at] >> 4 != 4 || header < sizeof(struct rte_ipv4_hdr) || len < at + header + 8
	    || p[at + 9] != IPPROTO_GRE || (be16(p + at + 6) & RTE_IPV4_HDR_OFFSET_MASK) != 0
	    || be16(p + at + header) != GRE_KEY)
		return false;
	p += at + header + 4;
	*ret = (uint32_t)be16(p) << 16 | be16(p + 2);
	return true;
}

void police_mark(struct rte_mbuf *m, unsigned at, uint8_t dscp)
{
	struct rte_ipv4_hdr *ip;
	uint16_t before, after;
	uint8_t *p;
	uint32_t sum;

	// two bytes of an IPv6 header, all of an IPv4 header without options
	if (!mbuf_pull(m, at + 2))
		return;
	p = rte_pktmbuf_mtod_offset(m, uint8_t *, at);
	if (p[0] >> 4 == 6) {
		// version, 8 bits of class of which 6 are the code point (RFC 2474, 8200)
		p[0] = (uint8_t)(0x60 | dscp >> 4);
		p[1] = (uint8_t)(dscp << 4 | (p[1] & 0x3f));
		return;
	}
	if (!mbuf_pull(m, at + sizeof(*ip)))
		return;
	ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	memcpy(&before, ip, sizeof(before));
	ip->type_of_service = (uint8_t)(dscp | (ip->type_of_service & 3));
	memcpy(&after, ip, sizeof(after));
	// RFC 1624, equation 3
	sum = (uint32_t)(uint16_t)~ip->hdr_checksum + (uint16_t)~before + after;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	ip->hdr_checksum = (uint16_t)~sum;
}

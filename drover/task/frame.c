// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/frame.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

void frame_build(const struct frame *f, uint8_t *at, unsigned size)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)at;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	unsigned l3 = size - sizeof(*eth), l4 = l3 - (unsigned)sizeof(*ip);

	memset(at, 0, size);
	memcpy(eth->dst_addr.addr_bytes, f->dst_mac, sizeof(f->dst_mac));
	memcpy(eth->src_addr.addr_bytes, f->src_mac, sizeof(f->src_mac));
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16((uint16_t)l3);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = rte_cpu_to_be_32(f->src_ip);
	ip->dst_addr = rte_cpu_to_be_32(f->dst_ip);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	udp->src_port = rte_cpu_to_be_16(f->src_port);
	udp->dst_port = rte_cpu_to_be_16(f->dst_port);
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)l4);
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
}

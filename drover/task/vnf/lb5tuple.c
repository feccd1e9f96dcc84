// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// lb5tuple: shares packets out among outputs by addresses, protocol and ports: all packets of a
// connection in one direction go the same way. Fragments go by addresses and protocol, which all of
// them have.

#include "task/proto/ip4.h"
#include "task/task.h"
#include "task/vnf/lb.h"

#define L2 RTE_ETHER_HDR_LEN

#define DROPS(DROP)              \
	DROP(SHORT, "too short") \
	DROP(NOT_IPV4, "not ipv4")

TASK_DROP_REASONS(DROPS);

static bool has_ports(const struct rte_ipv4_hdr *ip)
{
	const uint16_t fragment = rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);

	return (ip->next_proto_id == IPPROTO_TCP || ip->next_proto_id == IPPROTO_UDP
		|| ip->next_proto_id == IPPROTO_SCTP)
	       && (ip->fragment_offset & fragment) == 0;
}

static __rte_always_inline unsigned choose(const struct task *t, struct rte_mbuf *m, unsigned *ret)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, L2);
	unsigned l4 = L2 + sizeof(*ip);
	uint64_t addresses;
	uint32_t ports = 0;

	if (unlikely(m->data_len < l4) && !mbuf_pull(m, l4))
		return mbuf_pull(m, L2)
				       && rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->ether_type
						  != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)
			       ? DROP_NOT_IPV4
			       : DROP_SHORT;
	if (unlikely(
		    rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->ether_type
			    != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)
		    || ip->version_ihl >> 4 != 4 || (ip->version_ihl & 15) < 5
	    ))
		return DROP_NOT_IPV4;
	memcpy(&addresses, &ip->src_addr, sizeof(addresses));
	if (likely(has_ports(ip))) {
		l4 = L2 + (ip->version_ihl & 15u) * 4;
		if (unlikely(m->data_len < l4 + sizeof(ports)) && !mbuf_pull(m, l4 + sizeof(ports)))
			return DROP_SHORT;
		memcpy(&ports, rte_pktmbuf_mtod_offset(m, void *, l4), sizeof(ports));
	}
	addresses = rte_hash_crc_8byte(addresses, 0x9e3779b9u ^ ip->next_proto_id);
	*ret = lb_output(t, PROTO_IPV4, rte_hash_crc_4byte(ports, (uint32_t)addresses));
	return 0;
}

static uint16_t poll_lb5tuple(struct task *t)
{
	return lb_poll(t, choose);
}

static int init_lb5tuple(struct task *t, const void *conf, struct err *err)
{
	(void)conf;
	(void)err;
	t->poll = poll_lb5tuple;
	return 0;
}

static struct task_mode lb5tuple = {
	.name = "lb5tuple",
	.help = "packets are shared out among outputs, by addresses, protocol and ports",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.by_proto = true,
	.passes = true,
	TASK_DROP_NAMES,
	.puts = true,
	.init = init_lb5tuple,
};
TASK_MODE(lb5tuple)

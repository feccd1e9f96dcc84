// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the downstream half of the BNG does with packets that are not ordinary: stacks of labels, options,
// faults, and answers, which go back in the tunnel.

#include "task/proto/ip4.h"
#include "task/proto/mpls.h"
#include "task/vnf/qinqencap.h"

#include <rte_mpls.h>
#include <string.h>

#define TTL 64 // of the outer header of an answer

static unsigned fault_drop(enum ip4_fault f)
{
	return f == IP4_SHORT ? DROP_SHORT : f == IP4_SUM ? DROP_SUM : DROP_HEADER;
}

// Where the outer IPv4 header begins; 0: *why says why there is none.
static unsigned find_outer(struct rte_mbuf *m, unsigned *why)
{
	unsigned at = RTE_ETHER_HDR_LEN;
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	*why = DROP_SHORT;
	if (!mbuf_pull(m, at))
		return 0;
	if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return at;
	*why = DROP_NOT_GRE;
	if (eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS))
		return 0;
	for (unsigned n = 0; n < MPLS_LABELS; n++) {
		const struct rte_mpls_hdr *label;

		*why = DROP_SHORT;
		if (!mbuf_pull(m, at + MPLS_LEN))
			return 0;
		label = rte_pktmbuf_mtod_offset(m, struct rte_mpls_hdr *, at);
		*why = DROP_LABELS;
		at += MPLS_LEN;
		if (label->bs)
			return at;
	}
	return 0;
}

unsigned qinqencap_judge(const struct qinqencap *q, struct rte_mbuf *m, unsigned *ret)
{
	const struct rte_ipv4_hdr *ip, *inner;
	const struct gre_hdr *gre;
	unsigned why, at = find_outer(m, &why);
	enum ip4_fault f;

	if (at == 0)
		return why;
	f = ip4_check(m, at);
	if (f != IP4_OK)
		return fault_drop(f);
	ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	if (q->local != 0 && ip->dst_addr != q->local)
		return DROP_NOT_OURS;
	if (ip->next_proto_id != IPPROTO_GRE)
		return DROP_NOT_GRE;
	if ((ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)
	    )
	    != 0)
		return DROP_FRAGMENT;
	at += (ip->version_ihl & 15u) * 4;
	if (!mbuf_pull(m, at + sizeof(*gre)))
		return DROP_SHORT;
	gre = rte_pktmbuf_mtod_offset(m, struct gre_hdr *, at);
	// a checksum, a sequence number or another version is nothing that the other end agreed to
	if (gre->flags != rte_cpu_to_be_16(GRE_KEY))
		return DROP_NO_KEY;
	if (gre->type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return DROP_INNER;
	at += sizeof(*gre);
	f = ip4_check(m, at);
	if (f != IP4_OK)
		return f == IP4_SUM ? DROP_SUM : DROP_INNER;
	inner = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	*ret = at;
	return inner->time_to_live <= 1 ? DROP_TTL : 0;
}

struct tunnel {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct gre_hdr gre;
} __rte_packed __rte_aligned(2);

// Where the answer to a packet goes that came in that tunnel: back, without a label, as which one is for
// that machine only the routes say.
static void put_tunnel(
	struct rte_mbuf *m,
	const struct rte_ether_hdr *eth,
	const struct rte_ipv4_hdr *ip,
	uint32_t key,
	const struct access *a
)
{
	struct tunnel h = {
		.eth = {.dst_addr = eth->src_addr, .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)},
		.ip =
			{
				.version_ihl = RTE_IPV4_VHL_DEF,
				.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
				.time_to_live = TTL,
				.next_proto_id = IPPROTO_GRE,
				.src_addr = ip->dst_addr,
				.dst_addr = ip->src_addr,
			},
		.gre = {RTE_BE16(GRE_KEY), RTE_BE16(RTE_ETHER_TYPE_IPV4), key},
	};
	char *at = rte_pktmbuf_prepend(m, sizeof(h));

	memcpy(&h.eth.src_addr, a->head + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	h.ip.total_length = rte_cpu_to_be_16((uint16_t)(m->pkt_len - sizeof(h.eth)));
	h.ip.hdr_checksum = (uint16_t)~ip4_sum(&h.ip);
	memcpy(at, &h, sizeof(h));
}

void qinqencap_give_up(
	struct task *t,
	unsigned why,
	unsigned error,
	struct rte_mbuf *m,
	unsigned inner,
	const struct user_live *users,
	unsigned mtu
)
{
	struct qinqencap *q = t->state;
	uint16_t port = q->port != RTE_MAX_ETHPORTS ? q->port : m->port;
	unsigned to = port < RTE_MAX_ETHPORTS ? t->out_of_port[port] : TASK_OUTPUTS, why_not = 0;
	unsigned outer;
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	uint32_t key;

	if (q->icmp.from == 0 || error == 0 || to >= t->nout) {
		task_drop(t, why, m);
		return;
	}
	t->counters.drops[why]++;
	outer = find_outer(m, &why_not);
	memcpy(&eth, rte_pktmbuf_mtod(m, void *), sizeof(eth));
	memcpy(&ip, rte_pktmbuf_mtod_offset(m, void *, outer), sizeof(ip));
	memcpy(&key, rte_pktmbuf_mtod_offset(m, void *, inner - sizeof(key)), sizeof(key));
	rte_pktmbuf_adj(m, (uint16_t)inner);
	// nobody is told what was for all, nor who speaks of a stranger anything
	if ((eth.dst_addr.addr_bytes[0] & 1) != 0 || ip4_nowhere(ip.src_addr)
	    || ip4_nowhere(ip.dst_addr)
	    || !users->records[users_by_key(users, rte_be_to_cpu_32(key))].used
	    || !icmp_answer(&q->icmp, m, error, mtu, sizeof(struct tunnel))) {
		rte_pktmbuf_free(m);
		return;
	}
	put_tunnel(m, &eth, &ip, key, &q->access[to]);
	task_put(t, to, m);
}

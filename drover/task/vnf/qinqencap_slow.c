// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the downstream half of the BNG does with packets that are not ordinary: stacks of labels, options,
// faults, and answers, which go back in the tunnel.

#include "task/proto/ip4.h"
#include "task/proto/mpls.h"
#include "task/vnf/qinqencap.h"

#include <string.h>

#define TTL 64 // of the outer header of an answer

// Of ECN (RFC 3168): the lowest bits of the type of service.
#define ECN_MASK 3
enum {
	ECN_NOT = 0,
	ECN_ECT1 = 1,
	ECN_ECT0 = 2,
	ECN_CE = 3,
};

// Where the outer IPv4 header begins; 0: *why says why there is none.
static unsigned find_outer(struct rte_mbuf *m, unsigned *why)
{
	unsigned at = RTE_ETHER_HDR_LEN;
	struct mpls_walk walk = {0};
	enum frame_kind kind;
	uint16_t type;

	*why = DROP_SHORT;
	if (!mbuf_pull(m, at))
		return 0;
	type = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type;
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) && frame_untag(m))
		type = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type;
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return at;
	kind = frame_kind(type);
	*why = kind == KIND_END ? DROP_NOT_GRE : DROP_KIND + kind;
	if (type != rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS))
		return 0;
	for (unsigned n = 0; n < MPLS_LABELS; n++) {
		uint32_t label;

		*why = DROP_SHORT;
		if (!mbuf_pull(m, at + MPLS_LEN))
			return 0;
		memcpy(&label, rte_pktmbuf_mtod_offset(m, void *, at), sizeof(label));
		*why = DROP_RESERVED;
		if (!mpls_step(&walk, label))
			return 0;
		at += MPLS_LEN;
		if ((label & LABEL_BOTTOM) != 0)
			return walk.after == 6 ? 0 : at;
	}
	*why = DROP_LABELS;
	return 0;
}

struct tunnel {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct gre_hdr gre;
} __attribute__((packed)) __rte_aligned(2);

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

// Where an answer to a packet goes, TASK_OUTPUTS: there is no output.
static unsigned output_back(const struct task *t, const struct rte_mbuf *m)
{
	const struct qinqencap *q = t->state;
	uint16_t port = q->port != RTE_MAX_ETHPORTS ? q->port : m->port;
	unsigned to = port < RTE_MAX_ETHPORTS ? t->out_of_port[port] : TASK_OUTPUTS;

	return to < t->nout ? to : TASK_OUTPUTS;
}

// What a packet came in.
struct came {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	uint32_t key;
};

// Takes the tunnel away from a packet whose inner header begins there. False: nobody is to be told anything
// about it: it was for all, or of a stranger.
static bool leave_tunnel(
	struct rte_mbuf *m, unsigned inner, const struct user_live *users, struct came *ret
)
{
	unsigned why, outer = find_outer(m, &why);

	memcpy(&ret->eth, rte_pktmbuf_mtod(m, void *), sizeof(ret->eth));
	memcpy(&ret->ip, rte_pktmbuf_mtod_offset(m, void *, outer), sizeof(ret->ip));
	memcpy(&ret->key,
	       rte_pktmbuf_mtod_offset(m, void *, inner - sizeof(ret->key)),
	       sizeof(ret->key));
	rte_pktmbuf_adj(m, (uint16_t)inner);
	return (ret->eth.dst_addr.addr_bytes[0] & 1) == 0 && !ip4_nowhere(ret->ip.src_addr)
	       && !ip4_nowhere(ret->ip.dst_addr)
	       && users->records[users_by_key(users, rte_be_to_cpu_32(ret->key))].used;
}

// What RFC 6040, 4.2, makes of the marks of both headers. False: the packet was to be marked, and cannot be.
static bool merge_ecn(uint8_t outer, struct rte_ipv4_hdr *inner)
{
	uint8_t was = inner->type_of_service & ECN_MASK, is = was;
	uint32_t sum;

	outer &= ECN_MASK;
	if (outer == ECN_CE) {
		if (was == ECN_NOT)
			return false;
		is = ECN_CE;
	} else if (outer == ECN_ECT1 && was == ECN_ECT0) {
		is = ECN_ECT1;
	}
	if (is == was)
		return true;
	// RFC 1624: the sum without the old word, with the new one
	sum = (uint16_t)~inner->hdr_checksum + (uint16_t)~RTE_BE16(was) + (uint32_t)RTE_BE16(is);
	sum = (sum >> 16) + (sum & 0xffff);
	inner->hdr_checksum = (uint16_t) ~((sum >> 16) + sum);
	inner->type_of_service = (uint8_t)((inner->type_of_service & ~ECN_MASK) | is);
	return true;
}

// A packet outside of tunnels that is for their end: QINQENCAP_TAKEN, or what to drop it for.
static unsigned take_ours(struct task *t, struct rte_mbuf *m, unsigned at)
{
	struct qinqencap *q = t->state;
	unsigned to = output_back(t, m);
	struct rte_ether_hdr eth;

	if (to == TASK_OUTPUTS)
		return DROP_NOT_GRE;
	memcpy(&eth, rte_pktmbuf_mtod(m, void *), sizeof(eth));
	rte_pktmbuf_adj(m, (uint16_t)at);
	if (!icmp_echo(&q->icmp, m) || rte_pktmbuf_prepend(m, sizeof(eth)) == NULL)
		return DROP_TO_US;
	eth.dst_addr = eth.src_addr;
	memcpy(&eth.src_addr, q->access[to].head + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	memcpy(rte_pktmbuf_mtod(m, void *), &eth, sizeof(eth));
	task_put(t, to, m, &t->put_bytes);
	return QINQENCAP_TAKEN;
}

// A packet in a tunnel that is for us.
static unsigned take_ours_within(
	struct task *t, struct rte_mbuf *m, unsigned at, const struct user_live *users
)
{
	struct qinqencap *q = t->state;
	unsigned to = output_back(t, m);
	struct came came;

	if (to == TASK_OUTPUTS || !leave_tunnel(m, at, users, &came) || !icmp_echo(&q->icmp, m)
	    || rte_pktmbuf_headroom(m) < sizeof(struct tunnel))
		return DROP_TO_US;
	put_tunnel(m, &came.eth, &came.ip, came.key, &q->access[to]);
	task_put(t, to, m, &t->put_bytes);
	return QINQENCAP_TAKEN;
}

// What begins at `at`, after GRE.
static unsigned judge_inner(
	struct task *t, struct rte_mbuf *m, unsigned at, uint8_t tos, const struct user_live *users
)
{
	const struct qinqencap *q = t->state;
	struct rte_ipv4_hdr *inner;

	switch (ip4_check(m, at)) {
	case IP4_SUM:
		return DROP_SUM;
	case IP4_SHORT:
	case IP4_HEADER:
		return DROP_INNER;
	case IP4_SOURCE:
		if (!q->source_route)
			return DROP_SOURCE_ROUTE;
		break;
	case IP4_OK:
		break;
	}
	inner = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	if (ip4_nowhere(inner->src_addr) || inner->src_addr == q->icmp.from)
		return DROP_SOURCE;
	if (!merge_ecn(tos, inner))
		return DROP_CONGESTION;
	if (inner->dst_addr == q->icmp.from && inner->dst_addr != 0)
		return take_ours_within(t, m, at, users);
	return inner->time_to_live <= 1 ? DROP_TTL : 0;
}

// The header at `at` is right: whether the tunnel ends here, and where GRE begins.
static unsigned judge_outer(struct task *t, struct rte_mbuf *m, unsigned at, unsigned *ret_gre)
{
	const struct qinqencap *q = t->state;
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);

	if (ip4_nowhere(ip->src_addr))
		return DROP_SOURCE;
	if (q->local != 0 && ip->dst_addr != q->local)
		return DROP_NOT_OURS;
	if (ip->next_proto_id == IPPROTO_ICMP && q->local != 0)
		return take_ours(t, m, at);
	if (ip->next_proto_id != IPPROTO_GRE)
		return DROP_NOT_GRE;
	if ((ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return DROP_FRAGMENT;
	*ret_gre = at + (ip->version_ihl & 15u) * 4;
	return 0;
}

static const uint8_t faults[] = IP4_DROPS;

unsigned qinqencap_judge(
	struct task *t, struct rte_mbuf *m, const struct user_live *users, unsigned *ret
)
{
	const struct qinqencap *q = t->state;
	const struct gre_hdr *gre;
	unsigned why, at = find_outer(m, &why), gre_at = 0;
	enum ip4_fault fault;
	enum frame_kind kind;
	uint8_t tos;

	if (at == 0)
		return why;
	if (!own_takes(&q->own, m))
		return (*rte_pktmbuf_mtod(m, const uint8_t *) & 1) != 0 ? DROP_GROUP : DROP_OTHER;
	fault = ip4_check(m, at);
	if (fault != IP4_OK && !(fault == IP4_SOURCE && q->source_route))
		return faults[fault];
	why = judge_outer(t, m, at, &gre_at);
	if (why != 0)
		return why;
	tos = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, at)->type_of_service;
	at = gre_at;
	if (!mbuf_pull(m, at + sizeof(*gre)))
		return DROP_SHORT;
	gre = rte_pktmbuf_mtod_offset(m, struct gre_hdr *, at);
	// a checksum, a sequence number or another version is nothing that the other end agreed to
	if (gre->flags != RTE_BE16(GRE_KEY))
		return (gre->flags & RTE_BE16(GRE_KEY)) == 0 ? DROP_NO_KEY : DROP_GRE_FLAGS;
	if (gre->type != RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
		kind = frame_kind(gre->type);
		return kind == KIND_END ? DROP_INNER : DROP_KIND + kind;
	}
	*ret = at + (unsigned)sizeof(*gre);
	return judge_inner(t, m, *ret, tos, users);
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
	unsigned to = output_back(t, m);
	struct came came;

	if (q->icmp.from == 0 || error == 0 || to == TASK_OUTPUTS) {
		task_drop(t, why, m);
		return;
	}
	t->counters.drops[why]++;
	if (!leave_tunnel(m, inner, users, &came)
	    || !icmp_answer(&q->icmp, m, error, mtu, sizeof(struct tunnel))) {
		rte_pktmbuf_free(m);
		return;
	}
	put_tunnel(m, &came.eth, &came.ip, came.key, &q->access[to]);
	task_put(t, to, m, &t->put_bytes);
}

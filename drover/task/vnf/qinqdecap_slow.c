// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the upstream half of the BNG does with packets that are not ordinary: ARP, faults, answers.

#include "task/proto/arp.h"
#include "task/proto/ip4.h"
#include "task/vnf/qinqdecap.h"

#include <rte_udp.h>
#include <string.h>

static unsigned output_for(const struct task *t, uint16_t port)
{
	return port < RTE_MAX_ETHPORTS ? t->out_of_port[port] : TASK_OUTPUTS;
}

// A packet of ARP: learned from, and answered where the task has an output to where it came from.
// What to drop it for, or 0 when it was answered.
static unsigned take_arp(struct task *t, struct rte_mbuf *m, struct user_live *users, uint32_t tags)
{
	struct qinqdecap *q = t->state;
	struct user_entry *entry = users_entry(users, tags);
	uint32_t number = entry->number;
	uint16_t port = qinqdecap_port(q, m);
	unsigned to = output_for(t, port);
	enum cpe_learned learned = CPE_LEARNED;
	struct arp_seen seen;

	if (!mbuf_pull(m, QINQ_LEN + ARP_LEN))
		return DROP_SHORT;
	if (number == 0)
		return DROP_UNKNOWN;
	if (!arp_read(rte_pktmbuf_mtod(m, struct rte_ether_hdr *), QINQ_LEN, &seen))
		return DROP_BAD_ARP;
	// a probe (RFC 5227) has no sender's address yet
	if (seen.sender != 0)
		learned = cpe_learn(
			q->users,
			users,
			entry,
			number,
			cpe_mac_port(seen.mac, port),
			seen.sender,
			q->clock
		);
	if (learned != CPE_LEARNED)
		return learned == CPE_TOO_MANY ? DROP_CPES : DROP_SOURCE;
	if (to >= t->nout || !arp_wants_reply(&seen, q->gateway))
		return DROP_ARP;
	mbuf_cut(m, QINQ_LEN + ARP_LEN);
	arp_reply(rte_pktmbuf_mtod(m, struct rte_ether_hdr *), QINQ_LEN, &q->outputs[to].mac);
	q->answered++;
	task_put(t, to, m, &t->put_bytes);
	return 0;
}

#define DHCP_SERVER 67

// Why a packet to several machines is not forwarded: what it is, where a network has something for it.
static unsigned group_drop(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, QINQ_LEN);
	unsigned at = QINQ_LEN + (ip->version_ihl & 15u) * 4;
	struct rte_udp_hdr room;
	const struct rte_udp_hdr *udp;

	if (ip->next_proto_id == IPPROTO_IGMP)
		return DROP_IGMP;
	if (ip->next_proto_id != IPPROTO_UDP
	    || (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return DROP_GROUP;
	udp = rte_pktmbuf_read(m, at, sizeof(room), &room);
	return udp != NULL && udp->dst_port == RTE_BE16(DHCP_SERVER) ? DROP_DHCP : DROP_GROUP;
}

// Sends the packet, which begins with its IPv4 header, back to where it came from with that header.
static bool put_back(struct task *t, struct rte_mbuf *m, const struct qinq_hdr *came, unsigned to)
{
	const struct qinqdecap *q = t->state;
	struct qinq_hdr h = *came,
			*at = (struct qinq_hdr *)(void *)rte_pktmbuf_prepend(m, QINQ_LEN);

	if (at == NULL)
		return false;
	h.dst = came->src;
	h.src = q->outputs[to].mac;
	memcpy(at, &h, sizeof(h));
	task_put(t, to, m, &t->put_bytes);
	return true;
}

// A packet for an address of ours: QINQDECAP_TAKEN, or what to drop it for.
static unsigned take_ours(struct task *t, struct rte_mbuf *m, const struct user_live *users)
{
	struct qinqdecap *q = t->state;
	unsigned to = output_for(t, qinqdecap_port(q, m));
	struct qinq_hdr h;
	uint64_t v;

	memcpy(&h, rte_pktmbuf_mtod(m, void *), sizeof(h));
	memcpy(&v, &h.stype, sizeof(v));
	if (users_by_tags(users, qinq_tags(v)) == 0)
		return DROP_UNKNOWN;
	if (to >= t->nout)
		return DROP_TO_US;
	rte_pktmbuf_adj(m, QINQ_LEN);
	return icmp_echo(&q->icmp, m) && put_back(t, m, &h, to) ? QINQDECAP_TAKEN : DROP_TO_US;
}

// The frame has both tags, perhaps behind one that has a priority only.
static bool has_tags(const struct qinqdecap *q, struct rte_mbuf *m)
{
	bool untagged = false;

	while (mbuf_pull(m, QINQ_LEN)) {
		const struct qinq_hdr *h = rte_pktmbuf_mtod(m, struct qinq_hdr *);
		uint64_t v;
		bool found;

		memcpy(&v, &h->stype, sizeof(v));
		found = (v & QINQ_TYPES_MASK) == q->types;
		if (untagged || (found && h->type != RTE_BE16(RTE_ETHER_TYPE_VLAN)))
			return found;
		untagged = frame_untag(m);
		if (!untagged)
			return found;
	}
	return false;
}

// Which of several reasons a frame without both tags is dropped for.
static unsigned untagged_drop(const struct qinqdecap *q, const struct rte_mbuf *m)
{
	const struct qinq_hdr *h = rte_pktmbuf_mtod(m, const struct qinq_hdr *);
	enum frame_kind kind;

	if (m->data_len < QINQ_LEN)
		return DROP_SHORT;
	kind = frame_kind(h->stype == (uint16_t)q->types ? h->ctype : h->stype);
	return kind == KIND_LLDP || kind == KIND_CFM ? DROP_KIND + kind : DROP_NOT_QINQ;
}

static const uint8_t faults[] = IP4_DROPS;

unsigned qinqdecap_judge(struct task *t, struct rte_mbuf *m, struct user_live *users)
{
	const struct qinqdecap *q = t->state;
	const struct rte_ipv4_hdr *ip;
	const struct qinq_hdr *h;
	enum ip4_fault fault;
	enum frame_kind kind;
	bool group, ours;
	unsigned why;
	uint64_t v;

	if (!has_tags(q, m))
		return untagged_drop(q, m);
	h = rte_pktmbuf_mtod(m, struct qinq_hdr *);
	ip = (const struct rte_ipv4_hdr *)(h + 1);
	memcpy(&v, &h->stype, sizeof(v));
	group = (h->dst.addr_bytes[0] & 1) != 0;
	ours = own_takes(&q->own, m);
	if (h->type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP) && q->arp) {
		if (!group && !ours)
			return DROP_OTHER;
		why = take_arp(t, m, users, qinq_tags(v));
		return why == 0 ? QINQDECAP_TAKEN : why;
	}
	if (h->type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
		kind = frame_kind(h->type);
		return kind == KIND_END ? DROP_NOT_IPV4 : DROP_KIND + kind;
	}
	if (!group && !ours)
		return DROP_OTHER;
	fault = ip4_check(m, QINQ_LEN);
	if (fault != IP4_OK && !(fault == IP4_SOURCE && q->source_route))
		return faults[fault];
	if (group || ip4_group(ip->dst_addr))
		return group_drop(m);
	if (ip4_nowhere(ip->src_addr) || ip->src_addr == q->ours)
		return DROP_SOURCE;
	if (ip4_nowhere(ip->dst_addr))
		return DROP_NO_ROUTE;
	if (ip->dst_addr == q->ours)
		return take_ours(t, m, users);
	return ip->time_to_live <= 1 ? DROP_TTL : 0;
}

void qinqdecap_give_up(
	struct task *t,
	unsigned why,
	unsigned error,
	struct rte_mbuf *m,
	const struct user_live *users,
	unsigned mtu
)
{
	struct qinqdecap *q = t->state;
	unsigned to = output_for(t, qinqdecap_port(q, m));
	struct qinq_hdr h;
	uint64_t v;

	if (q->icmp.from == 0 || error == 0 || to >= t->nout) {
		task_drop(t, why, m);
		return;
	}
	t->counters.drops[why]++;
	memcpy(&h, rte_pktmbuf_mtod(m, void *), sizeof(h));
	memcpy(&v, &h.stype, sizeof(v));
	rte_pktmbuf_adj(m, QINQ_LEN);
	// nobody is told what was for all, nor a stranger anything
	if ((h.dst.addr_bytes[0] & 1) != 0 || users_by_tags(users, qinq_tags(v)) == 0
	    || !icmp_answer(&q->icmp, m, error, mtu, QINQ_LEN) || !put_back(t, m, &h, to))
		rte_pktmbuf_free(m);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the upstream half of the BNG does with packets that are not ordinary: ARP, faults, answers.

#include "task/proto/arp.h"
#include "task/proto/ip4.h"
#include "task/vnf/qinqdecap.h"

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
	struct arp_seen seen;

	if (!mbuf_pull(m, QINQ_LEN + ARP_LEN))
		return DROP_SHORT;
	if (number == 0)
		return DROP_UNKNOWN;
	if (!arp_read(rte_pktmbuf_mtod(m, struct rte_ether_hdr *), QINQ_LEN, &seen))
		return DROP_BAD_ARP;
	// a probe (RFC 5227) has no sender's address yet
	if (seen.sender != 0
	    && !cpe_learn(
		    users, entry, number, cpe_mac_port(seen.mac, port), seen.sender, q->clock
	    ))
		return DROP_SOURCE;
	if (to >= t->nout || !arp_wants_reply(&seen, q->gateway))
		return DROP_ARP;
	mbuf_cut(m, QINQ_LEN + ARP_LEN);
	arp_reply(rte_pktmbuf_mtod(m, struct rte_ether_hdr *), QINQ_LEN, &q->outputs[to].mac);
	q->answered++;
	task_put(t, to, m);
	return 0;
}

unsigned qinqdecap_judge(struct task *t, struct rte_mbuf *m, struct user_live *users)
{
	const struct qinqdecap *q = t->state;
	const struct qinq_hdr *h = rte_pktmbuf_mtod(m, struct qinq_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(h + 1);
	unsigned why;
	uint64_t v;

	if (!mbuf_pull(m, QINQ_LEN))
		return DROP_SHORT;
	memcpy(&v, &h->stype, sizeof(v));
	if ((v & QINQ_TYPES_MASK) != q->types)
		return DROP_NOT_QINQ;
	if (h->type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP) && q->arp) {
		why = take_arp(t, m, users, qinq_tags(v));
		return why == 0 ? QINQDECAP_TAKEN : why;
	}
	if (h->type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return DROP_NOT_IPV4;
	switch (ip4_check(m, QINQ_LEN)) {
	case IP4_SHORT:
		return DROP_SHORT;
	case IP4_HEADER:
		return DROP_HEADER;
	case IP4_SUM:
		return DROP_SUM;
	case IP4_OK:
		break;
	}
	// also what was sent to all machines: a router does not forward it (RFC 1812, 5.3.4)
	if (ip4_nowhere(ip->dst_addr) || (h->dst.addr_bytes[0] & 1) != 0)
		return DROP_NO_ROUTE;
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
	struct qinq_hdr h, *answer;
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
	    || !icmp_answer(&q->icmp, m, error, mtu, QINQ_LEN)) {
		rte_pktmbuf_free(m);
		return;
	}
	answer = (struct qinq_hdr *)(void *)rte_pktmbuf_prepend(m, QINQ_LEN);
	h.dst = h.src;
	h.src = q->outputs[to].mac;
	memcpy(answer, &h, sizeof(h));
	task_put(t, to, m);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// lbnetwork: shares the core side's packets out among workers, by the GRE key: all packets of a
// subscriber go to one worker. With "untag mpls=yes" labels are taken away before.

#include "task/proto/ip4.h"
#include "task/proto/mpls.h"
#include "task/task.h"
#include "task/vnf/lb.h"

struct lbnetwork {
	bool untag;
};

#define DROPS(DROP)                \
	DROP(SHORT, "too short")   \
	DROP(LABELS, "bad labels") \
	DROP(NOT_GRE, "not gre")   \
	DROP(RESERVED, "reserved label")

TASK_DROP_REASONS(DROPS);

// Where the IPv4 header begins; 0: *why says why there is none.
static unsigned find_ip(const struct lbnetwork *l, struct rte_mbuf *m, unsigned *why)
{
	unsigned at = RTE_ETHER_HDR_LEN;
	uint16_t type;

	*why = DROP_SHORT;
	if (unlikely(m->data_len < at) && !mbuf_pull(m, at))
		return 0;
	if (l->untag) {
		enum mpls_fault f = mpls_pop(m);

		if (unlikely(f != MPLS_OK && f != MPLS_NONE)) {
			*why = f == MPLS_SHORT	    ? DROP_SHORT
			       : f == MPLS_OTHER    ? DROP_NOT_GRE
			       : f == MPLS_RESERVED ? DROP_RESERVED
						    : DROP_LABELS;
			return 0;
		}
	}
	type = rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->ether_type;
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return at;
	*why = DROP_NOT_GRE;
	if (type != rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS))
		return 0;
	for (unsigned n = 0; n < MPLS_LABELS; n++) {
		*why = DROP_SHORT;
		if (!mbuf_pull(m, at + MPLS_LEN))
			return 0;
		at += MPLS_LEN;
		if ((*rte_pktmbuf_mtod_offset(m, uint8_t *, at - 2) & 1) != 0)
			return at;
	}
	*why = DROP_LABELS;
	return 0;
}

static __rte_always_inline unsigned choose(const struct task *t, struct rte_mbuf *m, unsigned *ret)
{
	const struct rte_ipv4_hdr *ip;
	unsigned why, at = find_ip(t->state, m, &why);
	uint32_t key;

	if (unlikely(at == 0))
		return why;
	if (unlikely(m->data_len < at + sizeof(*ip)) && !mbuf_pull(m, at + sizeof(*ip)))
		return DROP_SHORT;
	ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	// the worker judges the rest; a fragment has no key where one would be
	if (unlikely(
		    ip->version_ihl >> 4 != 4 || (ip->version_ihl & 15) < 5
		    || ip->next_proto_id != IPPROTO_GRE
		    || (ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_OFFSET_MASK)) != 0
	    ))
		return DROP_NOT_GRE;
	at += (ip->version_ihl & 15u) * 4;
	if (unlikely(m->data_len < at + 8) && !mbuf_pull(m, at + 8))
		return DROP_SHORT;
	memcpy(&key, rte_pktmbuf_mtod_offset(m, void *, at + 4), sizeof(key));
	*ret = lb_output(t, PROTO_IPV4, lb_hash(key));
	return 0;
}

static uint16_t poll_lbnetwork(struct task *t)
{
	return lb_poll(t, choose);
}

static int init_lbnetwork(struct task *t, const void *conf, struct err *err)
{
	(void)err;
	memcpy(t->state, conf, sizeof(struct lbnetwork));
	t->poll = poll_lbnetwork;
	return 0;
}

#define KEY_CONF struct lbnetwork
static const struct key keys[] = {
	KEY_BOOL("untag mpls", untag, "MPLS labels are taken away"),
	{NULL},
};

static struct task_mode lbnetwork = {
	.name = "lbnetwork",
	.help = "packets in GRE are shared out among outputs, by the key",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.by_proto = true,
	.passes = true,
	.keys = keys,
	.conf_size = sizeof(struct lbnetwork),
	TASK_DROP_NAMES,
	.state_size = sizeof(struct lbnetwork),
	.puts = true,
	.init = init_lbnetwork,
};
TASK_MODE(lbnetwork)

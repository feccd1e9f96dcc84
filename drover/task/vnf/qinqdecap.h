// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The upstream half of the BNG: what its data path and its slow path have in common.
#pragma once

#include "task/output.h"
#include "task/own_address.h"
#include "task/proto/frame_kind.h"
#include "task/proto/icmp.h"
#include "task/proto/qinq.h"
#include "task/task.h"

#include "table/route.h"
#include "table/users.h"

struct qinqdecap {
	uint64_t types; // see qinq_types
	struct user_table *users;
	struct route_view view;
	struct cpe_clock clock;
	uint32_t polls;
	uint16_t port;	  // where packets come from; RTE_MAX_ETHPORTS: each says so itself
	bool arp;	  // learn from it, and answer
	uint32_t gateway; // as in a packet; 0: answer for every address
	uint64_t answered, answered_base; // ARP; at the last clear
	bool source_route;		  // forward what its sender routed
	struct icmp icmp;
	uint32_t ours;	   // the address that is pinged, as in a packet; 0: none
	__m128i ours_wide; // the same, four times
	struct own own;
	unsigned noutputs; // of hops
	uint32_t local;
	struct output outputs[TASK_OUTPUTS];
};

#define DROPS(DROP)                         \
	DROP(SHORT, "too short")            \
	DROP(NOT_QINQ, "not qinq")          \
	DROP(NOT_IPV4, "not ipv4")          \
	DROP(HEADER, "bad header")          \
	DROP(SUM, "bad checksum")           \
	DROP(TTL, "ttl expired")            \
	DROP(UNKNOWN, "unknown subscriber") \
	DROP(SOURCE, "bad source")          \
	DROP(NO_ROUTE, "no route")          \
	DROP(TOO_LONG, "too long")          \
	DROP(HEADROOM, "no headroom")       \
	DROP(ARP, "arp learned")            \
	DROP(BAD_ARP, "bad arp")            \
	DROP(OTHER, "for another host")     \
	DROP(GROUP, "to a group")           \
	DROP(SOURCE_ROUTE, "source routed") \
	DROP(TO_US, "to this router")       \
	DROP(CPES, "too many cpes")         \
	DROP(DHCP, "dhcp")                  \
	DROP(IGMP, "igmp")                  \
	KIND_DROPS(DROP)

TASK_DROP_REASONS(DROPS);
static_assert(DROP_KIND_TAG == DROP_KIND + KIND_TAG, "in the order of enum frame_kind");

#define QINQDECAP_TAKEN UINT32_MAX // the packet has gone another way

// The port a packet came from, as CPEs are learned.
static __rte_always_inline uint16_t
qinqdecap_port(const struct qinqdecap *q, const struct rte_mbuf *m)
{
	uint16_t port = q->port != RTE_MAX_ETHPORTS ? q->port : m->port;

	return port & (uint16_t)~CPE_OUTPUT;
}

// Judges what is not ordinary, and answers ARP: what to drop it for, 0, or QINQDECAP_TAKEN.
unsigned qinqdecap_judge(struct task *t, struct rte_mbuf *m, struct user_live *users);

// Drops it, and tells its sender where that is configured, if the task has an output to where it came
// from. error: an enum icmp_error, 0: not of this one; mtu: of ICMP_TOO_LONG.
void qinqdecap_give_up(
	struct task *t,
	unsigned why,
	unsigned error,
	struct rte_mbuf *m,
	const struct user_live *users,
	unsigned mtu
);

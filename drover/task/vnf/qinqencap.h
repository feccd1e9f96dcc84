// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The downstream half of the BNG: what its data path and its slow path have in common.
#pragma once

#include "task/output.h"
#include "task/own_address.h"
#include "task/proto/frame_kind.h"
#include "task/proto/icmp.h"
#include "task/proto/qinq.h"
#include "task/task.h"

#include "table/users.h"

struct access {
	uint8_t head[16]; // of a packet: nothing, own MAC, type of the S-tag, nothing
	uint16_t mtu;
} __rte_aligned(16);

struct qinqencap {
	struct user_table *users;
	uint32_t now, polls, age;
	uint32_t local;			 // as in a packet; 0: any
	uint32_t ctype;			 // type of the C-tag in the low half, as in a packet
	uint8_t to[2][RTE_MAX_ETHPORTS]; // output, by port; [1]: by its own number, as configured
	uint16_t port;	   // where packets come from; RTE_MAX_ETHPORTS: each says so itself
	bool source_route; // forward what its sender routed
	struct icmp icmp;
	__m128i ours; // icmp.from, four times
	struct own own;
	struct access access[TASK_OUTPUTS];
};

#define DROPS(DROP)                                 \
	DROP(SHORT, "too short")                    \
	DROP(NOT_GRE, "not gre")                    \
	DROP(LABELS, "bad labels")                  \
	DROP(HEADER, "bad header")                  \
	DROP(SUM, "bad checksum")                   \
	DROP(FRAGMENT, "fragment of a tunnel")      \
	DROP(NOT_OURS, "not for us")                \
	DROP(NO_KEY, "gre without key")             \
	DROP(INNER, "bad inner packet")             \
	DROP(TTL, "ttl expired")                    \
	DROP(UNKNOWN, "unknown subscriber")         \
	DROP(CPE, "unknown cpe")                    \
	DROP(OUTPUT, "no output")                   \
	DROP(TOO_LONG, "too long")                  \
	DROP(OTHER, "for another host")             \
	DROP(GROUP, "to a group")                   \
	DROP(SOURCE, "bad source")                  \
	DROP(SOURCE_ROUTE, "source routed")         \
	DROP(TO_US, "to this router")               \
	DROP(CONGESTION, "congestion")              \
	DROP(RESERVED, "reserved label")            \
	DROP(GRE_FLAGS, "gre with more than a key") \
	KIND_DROPS(DROP)

TASK_DROP_REASONS(DROPS);
static_assert(DROP_KIND_TAG == DROP_KIND + KIND_TAG, "in the order of enum frame_kind");

#define QINQENCAP_TAKEN UINT32_MAX // the packet has gone another way

struct gre_hdr {
	uint16_t flags, type;
	uint32_t key;
} __attribute__((packed));

// Judges any packet: what to drop it for, 0, or QINQENCAP_TAKEN; and where its inner header begins, *ret, for
// 0 and DROP_TTL. A mark of congestion on the tunnel is one of the packet then (RFC 6040).
unsigned qinqencap_judge(
	struct task *t, struct rte_mbuf *m, const struct user_live *users, unsigned *ret
);

// Drops it, and tells its sender where that is configured, if the task has an output to where it came
// from. error: an enum icmp_error, 0: not of this one; inner: where its inner header begins; mtu: of
// ICMP_TOO_LONG.
void qinqencap_give_up(
	struct task *t,
	unsigned why,
	unsigned error,
	struct rte_mbuf *m,
	unsigned inner,
	const struct user_live *users,
	unsigned mtu
);

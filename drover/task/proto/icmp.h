// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// ICMP errors (RFC 792): what a router tells the sender of a packet that it cannot forward. The packet
// itself becomes the answer, so nothing is allocated. Not of the fast path.
#pragma once

#include "config/key.h"

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICMP_RATE 1000 // answers a second, when the configuration does not say
#define ICMP_BURST 32  // that may follow each other

struct icmp_conf {
	uint32_t from, rate; // 0: no answers; 0: ICMP_RATE
};

// The keys of a mode that answers; field: the struct icmp_conf in KEY_CONF.
#define ICMP_KEYS(field)                                                                     \
	KEY_IPV4(                                                                            \
		"icmp ipv4",                                                                 \
		field.from,                                                                  \
		"senders of packets that cannot be forwarded are told so by ICMP from that " \
		"address (default: they are not)"                                            \
	),                                                                                   \
		KEY_U32("icmp rate",                                                         \
			field.rate,                                                          \
			1,                                                                   \
			1000000,                                                             \
			"such answers a second, of each task (default 1000)")

// Of one task.
struct icmp {
	uint32_t from;	     // as in a packet; 0: no answers
	uint16_t id;	     // of the next answer's header
	uint64_t gap;	     // TSC cycles between answers
	uint64_t burst;	     // how far ahead of the time they may be
	uint64_t due;	     // when the next would be in time
	uint64_t sent, held; // answers; those that would have been too many
	uint64_t echoed;     // answers to ping
	struct {
		uint64_t sent, held, echoed;
	} base; // at the last clear
};

enum icmp_error {
	ICMP_NET = 0x0300,	// destination unreachable: there is no route
	ICMP_HOST = 0x0301,	// the route ends here, and nobody has that address
	ICMP_TOO_LONG = 0x0304, // fragmentation needed; says the MTU (RFC 1191)
	ICMP_TTL = 0x0b00,	// time exceeded
};

void icmp_init(struct icmp *c, const struct icmp_conf *conf);

// m: a packet that begins with its IPv4 header, whole and judged (ip4_check). It becomes the answer to
// its sender, beginning with the answer's IPv4 header. False: it must not be answered (RFC 1812,
// 4.3.2.7: an ICMP error, a later fragment, not from or not to one single machine), or not now (the
// rate, 4.3.2.8), or answers are not configured, or the buffer has no room for the answer's headers and
// `front` bytes before them; free it. mtu: of ICMP_TOO_LONG.
bool icmp_answer(
	struct icmp *c, struct rte_mbuf *m, enum icmp_error error, unsigned mtu, unsigned front
);

// m: the same, for an address of ours. An echo request becomes its reply, as long as it was (RFC 1122,
// 3.2.2.6). False: it is none, or a wrong one, has options, is a fragment, or too many came; free it.
bool icmp_echo(struct icmp *c, struct rte_mbuf *m);

// Adds icmp_echoed, icmp_sent and icmp_held to a task's report, when answers are configured. object: a json_t.
void icmp_report(const struct icmp *c, void *object);

// What icmp_report adds counts from zero.
void icmp_clear(struct icmp *c);

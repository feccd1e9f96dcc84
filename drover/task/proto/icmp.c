// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/proto/icmp.h"

#include "task/proto/ip4.h"
#include "tsc.h"

#include <jansson.h>
#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_icmp.h>
#include <string.h>

#define ANSWER_MAX 576 // bytes of the whole answer (RFC 1812, 4.3.2.3)
#define TOS 0xc0       // precedence "internetwork control" (4.3.2.5)
#define TOS_KEPT 0x1c  // of the packet's: what is neither precedence nor ECN
#define TTL 64
#define ECHO_REPLY 0 // types, whose names are not the same in all releases of DPDK
#define ECHO_REQUEST 8

struct head {
	struct rte_ipv4_hdr ip;
	struct rte_icmp_hdr icmp;
} __attribute__((packed, aligned(2)));

void icmp_init(struct icmp *c, const struct icmp_conf *conf)
{
	uint32_t rate = conf->rate != 0 ? conf->rate : ICMP_RATE;

	memset(c, 0, sizeof(*c));
	c->from = rte_cpu_to_be_32(conf->from);
	c->gap = tsc_hz() / rate;
	c->burst = (rate < ICMP_BURST ? rate - 1 : ICMP_BURST - 1) * c->gap;
}

static bool is_error(uint8_t type)
{
	switch (type) {
	case 3:	 // destination unreachable
	case 4:	 // source quench
	case 5:	 // redirect
	case 11: // time exceeded
	case 12: // parameter problem
		return true;
	default:
		return false;
	}
}

static bool may_answer(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	uint8_t room = 0;
	const uint8_t *type;

	if ((ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_OFFSET_MASK)) != 0
	    || ip4_nowhere(ip->src_addr) || ip4_nowhere(ip->dst_addr))
		return false;
	if (ip->next_proto_id != IPPROTO_ICMP)
		return true;
	type = rte_pktmbuf_read(m, (ip->version_ihl & 15u) * 4, sizeof(room), &room);
	return type != NULL && !is_error(*type);
}

static bool within_rate(struct icmp *c)
{
	uint64_t now = rte_rdtsc(), due = c->due > now ? c->due : now;

	if (due - now > c->burst) {
		c->held++;
		return false;
	}
	c->due = due + c->gap;
	return true;
}

// Of an answer from there on. rte_raw_cksum_mbuf of DPDK 22.11 loses carries where a segment begins at an
// odd place.
static uint16_t sum_behind(const struct rte_mbuf *m, unsigned at)
{
	uint8_t room[ANSWER_MAX];

	return rte_raw_cksum(rte_pktmbuf_read(m, at, m->pkt_len - at, room), m->pkt_len - at);
}

bool icmp_answer(
	struct icmp *c, struct rte_mbuf *m, enum icmp_error error, unsigned mtu, unsigned front
)
{
	struct rte_ipv4_hdr old;
	struct head *h;

	memcpy(&old, rte_pktmbuf_mtod(m, void *), sizeof(old));
	if (c->from == 0 || rte_pktmbuf_headroom(m) < front + sizeof(*h) || !may_answer(m)
	    || !within_rate(c))
		return false;
	if (m->pkt_len > ANSWER_MAX - sizeof(*h))
		mbuf_cut(m, ANSWER_MAX - sizeof(*h));
	h = (struct head *)(void *)rte_pktmbuf_prepend(m, sizeof(*h));
	memset(h, 0, sizeof(*h));
	h->icmp.icmp_type = (uint8_t)(error >> 8);
	h->icmp.icmp_code = (uint8_t)error;
	if (error == ICMP_TOO_LONG)
		h->icmp.icmp_seq_nb = rte_cpu_to_be_16((uint16_t)mtu);
	h->icmp.icmp_cksum = (uint16_t)~sum_behind(m, sizeof(h->ip));
	h->ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = TOS | (old.type_of_service & TOS_KEPT),
		.total_length = rte_cpu_to_be_16((uint16_t)m->pkt_len),
		.packet_id = rte_cpu_to_be_16(c->id++),
		.time_to_live = TTL,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = c->from,
		.dst_addr = old.src_addr,
	};
	h->ip.hdr_checksum = (uint16_t)~ip4_sum(&h->ip);
	c->sent++;
	return true;
}

bool icmp_echo(struct icmp *c, struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	struct rte_icmp_hdr *echo = (struct rte_icmp_hdr *)(ip + 1);
	uint32_t us = ip->dst_addr, sum;

	if (ip->version_ihl != RTE_IPV4_VHL_DEF || ip->next_proto_id != IPPROTO_ICMP
	    || (ip->fragment_offset
		& rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		       != 0
	    || ip4_nowhere(ip->src_addr) || m->pkt_len < sizeof(*ip) + sizeof(*echo)
	    || !mbuf_pull(m, m->pkt_len) || echo->icmp_type != ECHO_REQUEST || echo->icmp_code != 0
	    || rte_raw_cksum(echo, m->pkt_len - sizeof(*ip)) != 0xffff || !within_rate(c))
		return false;
	echo->icmp_type = ECHO_REPLY;
	// RFC 1624; the type is a word's first byte
	sum = echo->icmp_cksum + (uint32_t)ECHO_REQUEST;
	echo->icmp_cksum = (uint16_t)((sum >> 16) + sum);
	ip->dst_addr = ip->src_addr;
	ip->src_addr = us;
	ip->time_to_live = TTL;
	ip->packet_id = rte_cpu_to_be_16(c->id++);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~ip4_sum(ip);
	c->echoed++;
	return true;
}

static json_t *count(const uint64_t *now, uint64_t base)
{
	return json_integer((json_int_t)(__atomic_load_n(now, __ATOMIC_RELAXED) - base));
}

void icmp_report(const struct icmp *c, void *object)
{
	json_object_set_new(object, "icmp_echoed", count(&c->echoed, c->base.echoed));
	if (c->from == 0)
		return;
	json_object_set_new(object, "icmp_sent", count(&c->sent, c->base.sent));
	json_object_set_new(object, "icmp_held", count(&c->held, c->base.held));
}

void icmp_clear(struct icmp *c)
{
	c->base.echoed = __atomic_load_n(&c->echoed, __ATOMIC_RELAXED);
	c->base.sent = __atomic_load_n(&c->sent, __ATOMIC_RELAXED);
	c->base.held = __atomic_load_n(&c->held, __ATOMIC_RELAXED);
}

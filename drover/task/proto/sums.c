// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/proto/sums.h"

#include "task/proto/mpls.h"
#include "task/proto/qinq.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define IP_LEN sizeof(struct rte_ipv4_hdr)
#define GRE_SEQUENCE 0x1000 // RFC 2890

static uint16_t word(const uint8_t *frame, unsigned at)
{
	return (uint16_t)(frame[at] << 8 | frame[at + 1]);
}

static void put(uint8_t *frame, unsigned at, uint16_t v)
{
	frame[at] = (uint8_t)(v >> 8);
	frame[at + 1] = (uint8_t)v;
}

// Where what is behind tags and labels begins, if it is IPv4; 0: it is not.
static unsigned skip_tags(const uint8_t *frame, unsigned size)
{
	unsigned at = RTE_ETHER_HDR_LEN;
	uint16_t type;

	if (size < at)
		return 0;
	type = word(frame, at - 2);
	while (at + RTE_VLAN_HLEN <= size
	       && (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ
		   || type == RTE_ETHER_TYPE_QINQ1)) {
		type = word(frame, at + 2);
		at += RTE_VLAN_HLEN;
	}
	if (type == RTE_ETHER_TYPE_MPLS) {
		while (at + MPLS_LEN <= size && (frame[at + 2] & 1) == 0)
			at += MPLS_LEN;
		at += MPLS_LEN;
		type = RTE_ETHER_TYPE_IPV4;
	}
	return type == RTE_ETHER_TYPE_IPV4 ? at : 0;
}

// What is in a GRE packet, if it is IPv4; 0: it is not, or GRE has a checksum.
static unsigned skip_gre(const uint8_t *frame, unsigned at, unsigned end)
{
	uint16_t flags;

	if (at + 4 > end || word(frame, at + 2) != RTE_ETHER_TYPE_IPV4)
		return 0;
	flags = word(frame, at);
	if ((flags & ~(GRE_KEY | GRE_SEQUENCE)) != 0)
		return 0;
	return at + 4 + (flags & GRE_KEY ? 4 : 0) + (flags & GRE_SEQUENCE ? 4 : 0);
}

static void find_l4(
	const uint8_t *frame,
	unsigned ip,
	unsigned at,
	unsigned end,
	struct sum_place *s,
	unsigned *n
)
{
	uint8_t protocol = frame[ip + offsetof(struct rte_ipv4_hdr, next_proto_id)];
	unsigned len;

	*s = (struct sum_place){
		.first = (uint16_t)at, .end = (uint16_t)end, .pseudo = (uint16_t)ip};
	if (protocol == IPPROTO_UDP && at + sizeof(struct rte_udp_hdr) <= end) {
		len = word(frame, at + offsetof(struct rte_udp_hdr, dgram_len));
		s->at = (uint16_t)(at + offsetof(struct rte_udp_hdr, dgram_cksum));
		if (len < sizeof(struct rte_udp_hdr) || at + len > end)
			return;
		s->end = (uint16_t)(at + len);
		s->udp = true;
		s->none = word(frame, s->at) == 0;
		++*n;
	} else if (protocol == IPPROTO_TCP && at + sizeof(struct rte_tcp_hdr) <= end) {
		s->at = (uint16_t)(at + offsetof(struct rte_tcp_hdr, cksum));
		++*n;
	}
}

void sums_find(const uint8_t *frame, unsigned size, struct sums *ret)
{
	unsigned at = skip_tags(frame, size), end = size;

	ret->n = 0;
	while (at > 0 && ret->n + 1 < SUMS_MAX) {
		unsigned ip = at, header, total;

		if (ip + IP_LEN > end || frame[ip] >> 4 != 4)
			return;
		header = (frame[ip] & 15u) * 4;
		total = word(frame, ip + offsetof(struct rte_ipv4_hdr, total_length));
		if (header < IP_LEN || total < header || ip + total > end)
			return;
		ret->of[ret->n++] = (struct sum_place){
			.at = (uint16_t)(ip + offsetof(struct rte_ipv4_hdr, hdr_checksum)),
			.first = (uint16_t)ip,
			.end = (uint16_t)(ip + header),
			.total = (uint16_t)(ip + total),
		};
		at = ip + header;
		end = ip + total;
		// the rest of a packet is not all here
		if ((word(frame, ip + offsetof(struct rte_ipv4_hdr, fragment_offset))
		     & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		    != 0)
			return;
		if (frame[ip + offsetof(struct rte_ipv4_hdr, next_proto_id)] != IPPROTO_GRE) {
			find_l4(frame, ip, at, end, &ret->of[ret->n], &ret->n);
			return;
		}
		at = skip_gre(frame, at, end);
	}
}

static bool in_pseudo(unsigned ip, unsigned byte)
{
	unsigned src = ip + offsetof(struct rte_ipv4_hdr, src_addr);

	return (byte >= src && byte < src + 8)
	       || byte == ip + offsetof(struct rte_ipv4_hdr, next_proto_id);
}

unsigned sum_counts(const struct sum_place *s, unsigned at, unsigned len)
{
	unsigned n = 0;

	for (unsigned i = at; i < at + len; i++) {
		if (i == s->at || i == s->at + 1u)
			continue;
		n += (i >= s->first && i < s->end) || (s->pseudo > 0 && in_pseudo(s->pseudo, i));
	}
	return n;
}

// Its words are read as big endian numbers: swapping the bytes of a sum swaps those of its words (RFC
// 1071, section 2).
static uint32_t raw(const uint8_t *at, unsigned len)
{
	return rte_be_to_cpu_16(rte_raw_cksum(at, len));
}

uint32_t sum_partial(const struct sum_place *s, const uint8_t *frame)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(frame + s->pseudo);
	unsigned len = (unsigned)(s->end - s->first);
	// what is subtracted is added as its complement
	uint32_t sum = raw(frame + s->first, len) + (0xffffu - word(frame, s->at));

	if (s->pseudo > 0)
		sum += raw((const uint8_t *)&ip->src_addr, 8) + ip->next_proto_id + len;
	return sum;
}

void sum_write(const struct sum_place *s, uint8_t *frame, const uint8_t *like)
{
	put(frame, s->at, sum_finish(s, sum_partial(s, like)));
}

void sums_part(uint8_t *frame, struct sums *s, unsigned at, unsigned len)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct sum_place *p = &s->of[i];
		unsigned n = p->udp ? sum_counts(p, at, len) : 0;

		if (n > 0 && n < len) {
			put(frame, p->at, 0);
			p->none = true;
		}
	}
}

void sums_resize(uint8_t *frame, const struct sums *s, unsigned size)
{
	for (unsigned i = 0; i < s->n; i++) {
		unsigned len = size - s->of[i].first;

		if (s->of[i].pseudo == 0)
			put(frame,
			    s->of[i].first + offsetof(struct rte_ipv4_hdr, total_length),
			    (uint16_t)len);
		else if (s->of[i].udp)
			put(frame,
			    s->of[i].first + offsetof(struct rte_udp_hdr, dgram_len),
			    (uint16_t)len);
	}
}

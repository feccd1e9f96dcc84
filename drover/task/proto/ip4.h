// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// IPv4 headers (RFC 791) on the data path: the ordinary ones are judged inline, all others by one
// function that reads whatever it is given without leaving the packet.
#pragma once

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_vect.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum ip4_fault {
	IP4_OK = 0,
	IP4_SHORT,  // the packet ends within the header
	IP4_HEADER, // not version 4, or a length that cannot be
	IP4_SUM,    // the checksum is wrong
	IP4_SOURCE, // right, and its sender says the way (RFC 791, source routes)
};

// Ones' complement sum of a header without options, folded to 16 bits: 0xffff when its checksum is
// right.
static __rte_always_inline uint16_t ip4_sum(const void *ip)
{
	uint64_t a, b, sum;
	uint32_t c, half;

	memcpy(&a, ip, 8);
	memcpy(&b, (const char *)ip + 8, 8);
	memcpy(&c, (const char *)ip + 16, 4);
	sum = a + b;
	sum += sum < b;
	sum += c;
	sum += sum < c;
	// a number plus its halves exchanged: the upper half is the sum of both, its carry added again
	half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
	return (uint16_t)((half + (half << 16 | half >> 16)) >> 16);
}

// The drop reasons of a mode for them.
#define IP4_DROPS                                                                           \
	{                                                                                   \
		[IP4_SHORT] = DROP_SHORT, [IP4_HEADER] = DROP_HEADER, [IP4_SUM] = DROP_SUM, \
		[IP4_SOURCE] = DROP_SOURCE_ROUTE                                            \
	}

// Judges the header that begins `at` bytes into the packet, and what it says of the packet's length. A
// header in several segments is brought into the first one. Ethernet's padding is cut off. With IP4_OK and
// IP4_SOURCE the whole header is in the first segment.
enum ip4_fault ip4_check(struct rte_mbuf *m, unsigned at);

// The same, inline for a header without options in a packet of one segment.
static __rte_always_inline enum ip4_fault ip4_look(struct rte_mbuf *m, unsigned at)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	unsigned len;

	if (unlikely(m->data_len < at + sizeof(*ip)))
		return ip4_check(m, at);
	len = at + rte_be_to_cpu_16(ip->total_length);
	if (unlikely(
		    ip->version_ihl != RTE_IPV4_VHL_DEF || ip4_sum(ip) != 0xffff
		    || len < at + sizeof(*ip) || len > m->data_len || m->pkt_len != m->data_len
	    ))
		return ip4_check(m, at);
	if (len != m->data_len)
		m->data_len = (uint16_t)(m->pkt_len = len);
	return IP4_OK;
}

// One hop less to live (RFC 1141, and 1624 for the sum of 0xffff).
static __rte_always_inline void ip4_age(struct rte_ipv4_hdr *ip)
{
	uint32_t sum = (uint32_t)ip->hdr_checksum + rte_cpu_to_be_16(0x0100);

	ip->time_to_live--;
	ip->hdr_checksum = (uint16_t)(sum + (sum >= 0xffff));
}

// Addresses that no router sends to, nor takes packets from: this network, loopback, groups, reserved
// (RFC 1812, 5.3.7). dst as in the packet.
static __rte_always_inline bool ip4_nowhere(uint32_t dst)
{
	uint8_t net = (uint8_t)(rte_be_to_cpu_32(dst) >> 24);

	return (uint8_t)(net - 1) >= 223 || net == 127;
}

// What of a header ip4_plain looks at: the 16 bytes from its identification on, but with the first 4 another
// address, when IP4_THIRD is said.
#define IP4_ENDS _mm_set_epi8(0, 0, 0, -1, 0, 0, 0, -1, 0, 0, 0, -1, 0, 0, 0, 0)
#define IP4_THIRD _mm_set_epi8(0, 0, 0, -1, 0, 0, 0, -1, 0, 0, 0, -1, 0, 0, 0, -1)

static __rte_always_inline __m128i ip4_tail(const struct rte_ipv4_hdr *ip)
{
	return _mm_loadu_si128((const __m128i *)(const void *)&ip->packet_id);
}

// Neither address is one that ip4_nowhere is for, nor ours (in all four words, zero: none), and the time to live is
// more than 1.
static __rte_always_inline bool ip4_plain(__m128i tail, __m128i which, __m128i ours)
{
	// of the addresses the first byte, of the time to live its own: that is more than, equal to, or zero
	const __m128i most = _mm_set_epi8(0, 0, 0, -33, 0, 0, 0, -33, 0, 0, 0, -1, 0, 0, 0, -33);
	const __m128i not = _mm_set_epi8(0, 0, 0, 127, 0, 0, 0, 127, 0, 0, 0, 1, 0, 0, 0, 127);
	__m128i bad = _mm_subs_epu8(tail, most);

	bad = _mm_or_si128(bad, _mm_cmpeq_epi8(tail, not ));
	bad = _mm_or_si128(bad, _mm_cmpeq_epi8(tail, _mm_setzero_si128()));
	bad = _mm_or_si128(bad, _mm_cmpeq_epi32(tail, ours));

	return _mm_testz_si128(bad, which) != 0;
}

// To several machines, or to all.
static inline bool ip4_group(uint32_t dst)
{
	return (rte_be_to_cpu_32(dst) >> 28) == 14 || dst == UINT32_MAX;
}

// Brings the first `want` bytes of the packet into its first segment, copying from those that follow.
// False: the packet is shorter, or the segment has no room, or is shared.
bool mbuf_pull(struct rte_mbuf *m, unsigned want);

// Cuts the packet to len bytes, which it has at least.
void mbuf_cut(struct rte_mbuf *m, unsigned len);

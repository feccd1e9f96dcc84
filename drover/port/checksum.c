// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "port/checksum.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_gre.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <rte_vxlan.h>
#include <string.h>

#define HEADERS_MAX 16 // tags, labels and tunnels in each other
#define MPLS_LEN 4

// What is at `at`, by EtherType; a whole frame is RTE_ETHER_TYPE_TEB.
struct walk {
	uint8_t *frame;
	unsigned at, end;
	uint16_t type;
	bool finished;
};

static unsigned word(const struct walk *w, unsigned at)
{
	return (unsigned)w->frame[at] << 8 | w->frame[at + 1];
}

static bool has(const struct walk *w, unsigned len)
{
	return w->end - w->at >= len;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

void checksum_finish(uint8_t *frame, unsigned len, unsigned start, unsigned offset)
{
	uint16_t sum;

	if (offset == offsetof(struct rte_sctp_hdr, cksum)) {
		// no sum of words: it ends with the packet, not with the frame
		checksum_finish_half(frame, len);
		return;
	}
	if (start + offset + sizeof(sum) > len)
		return;
	sum = (uint16_t)~rte_raw_cksum(frame + start, len - start);
	if (sum == 0) // which means "none" for UDP, and is the same for TCP
		sum = 0xffff;
	memcpy(frame + start + offset, &sum, sizeof(sum));
}

// The addresses of its IP header are one behind the other.
static bool is_half(
	const struct walk *w, unsigned addresses, unsigned size, unsigned protocol, unsigned offset
)
{
	unsigned len = w->end - w->at;
	uint16_t have, pseudo;

	pseudo =
		fold((uint32_t)rte_raw_cksum(w->frame + addresses, size)
		     + rte_cpu_to_be_16((uint16_t)protocol) + rte_cpu_to_be_16((uint16_t)len));
	memcpy(&have, w->frame + w->at + offset, sizeof(have));
	return have == pseudo
	       && fold((uint32_t)rte_raw_cksum(w->frame + w->at, len) + pseudo) != 0xffff;
}

// rte_hash_crc would read whole words where they lie.
static uint32_t crc32c(const uint8_t *data, unsigned len)
{
	uint32_t crc = UINT32_MAX;
	uint64_t word;

	for (; len >= sizeof(word); len -= (unsigned)sizeof(word), data += sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		crc = rte_hash_crc_8byte(word, crc);
	}
	for (; len > 0; len--)
		crc = rte_hash_crc_1byte(*data++, crc);
	return ~crc;
}

// The kernel leaves zeros (RFC 9260, 6.8: CRC32c, in the order that the CRC is taken in).
static void finish_sctp(struct walk *w)
{
	uint8_t *at = w->frame + w->at + offsetof(struct rte_sctp_hdr, cksum);
	uint32_t sum;

	if (!has(w, sizeof(struct rte_sctp_hdr)))
		return;
	memcpy(&sum, at, sizeof(sum));
	if (sum != 0)
		return;
	sum = rte_cpu_to_le_32(crc32c(w->frame + w->at, w->end - w->at));
	memcpy(at, &sum, sizeof(sum));
	w->finished = sum != 0;
}

// Behind an IP header. False: that is all.
static bool step_protocol(struct walk *w, unsigned addresses, unsigned size, unsigned protocol)
{
	unsigned offset, flags;

	switch (protocol) {
	case IPPROTO_IPIP:
		w->type = RTE_ETHER_TYPE_IPV4;
		return true;
	case IPPROTO_IPV6:
		w->type = RTE_ETHER_TYPE_IPV6;
		return true;
	case IPPROTO_GRE:
		if (!has(w, sizeof(struct rte_gre_hdr)))
			return false;
		flags = word(w, w->at);
		if ((flags & 0x4fff) != 0) // a route, or another version
			return false;
		w->type = (uint16_t)word(w, w->at + 2);
		w->at += 4 + 4 * (unsigned)__builtin_popcount(flags & 0xb000);
		return w->at <= w->end;
	case IPPROTO_TCP:
		offset = offsetof(struct rte_tcp_hdr, cksum);
		break;
	case IPPROTO_UDP:
		offset = offsetof(struct rte_udp_hdr, dgram_cksum);
		break;
	case IPPROTO_SCTP:
		finish_sctp(w);
		return false;
	default:
		return false;
	}
	if (!has(w,
		 protocol == IPPROTO_TCP ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr)))
		return false;
	if (is_half(w, addresses, size, protocol, offset)) {
		checksum_finish(w->frame, w->end, w->at, offset);
		w->finished = true;
		return false;
	}
	if (protocol == IPPROTO_TCP
	    || word(w, w->at + offsetof(struct rte_udp_hdr, dst_port)) != RTE_VXLAN_DEFAULT_PORT)
		return false;
	w->type = RTE_ETHER_TYPE_TEB;
	w->at += sizeof(struct rte_udp_hdr) + sizeof(struct rte_vxlan_hdr);
	return w->at <= w->end;
}

static bool step_ip4(struct walk *w)
{
	unsigned ip = w->at, header, total, fragment;

	if (!has(w, sizeof(struct rte_ipv4_hdr)) || w->frame[ip] >> 4 != 4)
		return false;
	header = (w->frame[ip] & 15u) * 4;
	total = word(w, ip + offsetof(struct rte_ipv4_hdr, total_length));
	fragment = word(w, ip + offsetof(struct rte_ipv4_hdr, fragment_offset));
	if (header < sizeof(struct rte_ipv4_hdr) || total < header || !has(w, total)
	    || (fragment & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return false;
	w->at = ip + header;
	w->end = ip + total;
	return step_protocol(
		w,
		ip + offsetof(struct rte_ipv4_hdr, src_addr),
		8,
		w->frame[ip + offsetof(struct rte_ipv4_hdr, next_proto_id)]
	);
}

static bool step_ip6(struct walk *w)
{
	unsigned ip = w->at, protocol, len;

	if (!has(w, sizeof(struct rte_ipv6_hdr)) || w->frame[ip] >> 4 != 6)
		return false;
	protocol = w->frame[ip + offsetof(struct rte_ipv6_hdr, proto)];
	len = word(w, ip + offsetof(struct rte_ipv6_hdr, payload_len));
	w->at = ip + (unsigned)sizeof(struct rte_ipv6_hdr);
	if (!has(w, len))
		return false;
	w->end = w->at + len;
	while ((protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_DSTOPTS) && has(w, 8)) {
		protocol = w->frame[w->at];
		len = (w->frame[w->at + 1] + 1u) * 8;
		if (!has(w, len))
			return false;
		w->at += len;
	}
	return step_protocol(w, ip + offsetof(struct rte_ipv6_hdr, src_addr), 32, protocol);
}

static bool step_labels(struct walk *w)
{
	bool bottom;

	if (!has(w, MPLS_LEN + 1))
		return false;
	bottom = (w->frame[w->at + 2] & 1) != 0;
	w->at += MPLS_LEN;
	if (bottom)
		w->type = w->frame[w->at] >> 4 == 6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;
	return true;
}

static bool step(struct walk *w)
{
	switch (w->type) {
	case RTE_ETHER_TYPE_TEB:
		if (!has(w, RTE_ETHER_HDR_LEN))
			return false;
		w->at += RTE_ETHER_HDR_LEN;
		w->type = (uint16_t)word(w, w->at - 2);
		return true;
	case RTE_ETHER_TYPE_VLAN:
	case RTE_ETHER_TYPE_QINQ:
	case RTE_ETHER_TYPE_QINQ1:
		if (!has(w, RTE_VLAN_HLEN))
			return false;
		w->at += RTE_VLAN_HLEN;
		w->type = (uint16_t)word(w, w->at - 2);
		return true;
	case RTE_ETHER_TYPE_MPLS:
		return step_labels(w);
	case RTE_ETHER_TYPE_IPV4:
		return step_ip4(w);
	case RTE_ETHER_TYPE_IPV6:
		return step_ip6(w);
	default:
		return false;
	}
}

bool checksum_finish_half(uint8_t *frame, unsigned len)
{
	struct walk w = {.frame = frame, .end = len, .type = RTE_ETHER_TYPE_TEB};

	for (unsigned i = 0; i < HEADERS_MAX && step(&w); i++)
		;
	return w.finished;
}

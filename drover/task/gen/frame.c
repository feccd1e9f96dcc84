// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/gen/frame.h"

#include "task/proto/mpls.h"
#include "task/proto/qinq.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#define GRE_LEN 8

// Where each layer begins. What is not there begins where the next one does.
struct offsets {
	unsigned vlan, qinq, label, outer, gre, ip, udp, end;
};

static struct offsets offsets(const struct key_layers *l)
{
	struct offsets o = {.vlan = RTE_ETHER_HDR_LEN};

	// of a tag the type is what follows: it begins with the type before it
	o.qinq = o.vlan + (l->vlan ? RTE_VLAN_HLEN : 0);
	o.label = o.qinq + (l->qinq ? 2 * RTE_VLAN_HLEN : 0);
	o.outer = o.label + (l->mpls ? MPLS_LEN : 0);
	o.gre = o.outer + (l->gre ? (unsigned)sizeof(struct rte_ipv4_hdr) : 0);
	o.ip = o.gre + (l->gre ? GRE_LEN : 0);
	o.udp = o.ip + (unsigned)sizeof(struct rte_ipv4_hdr);
	o.end = o.udp + (unsigned)sizeof(struct rte_udp_hdr);
	return o;
}

unsigned frame_headers(const struct key_layers *l)
{
	return offsets(l).end;
}

static void put16(uint8_t *at, uint16_t v)
{
	v = rte_cpu_to_be_16(v);
	memcpy(at, &v, sizeof(v));
}

static void put32(uint8_t *at, uint32_t v)
{
	v = rte_cpu_to_be_32(v);
	memcpy(at, &v, sizeof(v));
}

static void put_ip(uint8_t *at, unsigned len, uint8_t protocol, uint32_t src, uint32_t dst)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)at;

	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16((uint16_t)len);
	if (protocol == IPPROTO_GRE)
		ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = 64;
	ip->next_proto_id = protocol;
	ip->src_addr = rte_cpu_to_be_32(src);
	ip->dst_addr = rte_cpu_to_be_32(dst);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void put_tags(const struct frame *f, const struct offsets *o, uint8_t *at)
{
	uint16_t last = f->layers.mpls ? RTE_ETHER_TYPE_MPLS : RTE_ETHER_TYPE_IPV4;

	if (f->layers.vlan) {
		put16(at + o->vlan - 2, RTE_ETHER_TYPE_VLAN);
		put16(at + o->vlan, f->vlan);
	}
	if (f->layers.qinq) {
		put16(at + o->qinq - 2, f->stype);
		put16(at + o->qinq, f->svlan);
		put16(at + o->qinq + 2, RTE_ETHER_TYPE_VLAN);
		put16(at + o->qinq + 4, f->cvlan);
	}
	put16(at + o->label - 2, last);
	if (f->layers.mpls)
		put32(at + o->label, f->label << 12 | 1 << 8 | MPLS_TTL); // bottom of stack
}

void frame_build(const struct frame *f, uint8_t *at, unsigned size)
{
	struct offsets o = offsets(&f->layers);
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)at;
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(at + o.udp);

	memset(at, 0, size);
	memcpy(eth->dst_addr.addr_bytes, f->dst_mac, sizeof(f->dst_mac));
	memcpy(eth->src_addr.addr_bytes, f->src_mac, sizeof(f->src_mac));
	put_tags(f, &o, at);
	if (f->layers.gre) {
		put_ip(at + o.outer, size - o.outer, IPPROTO_GRE, f->outer_src, f->outer_dst);
		put16(at + o.gre, GRE_KEY);
		put16(at + o.gre + 2, RTE_ETHER_TYPE_IPV4);
		put32(at + o.gre + 4, f->gre_key);
	}
	put_ip(at + o.ip, size - o.ip, IPPROTO_UDP, f->src_ip, f->dst_ip);
	udp->src_port = rte_cpu_to_be_16(f->src_port);
	udp->dst_port = rte_cpu_to_be_16(f->dst_port);
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)(size - o.udp));
	udp->dgram_cksum = rte_ipv4_udptcp_cksum((struct rte_ipv4_hdr *)(at + o.ip), udp);
}

bool frame_find(const struct key_layers *l, enum key_field field, struct frame_place *ret)
{
	struct offsets o = offsets(l);
	const struct {
		bool there;
		unsigned at;
		uint8_t len, shift;
	} places[FIELD_END] = {
		[FIELD_DST_MAC] = {true, 2, 4, 0},
		[FIELD_SRC_MAC] = {true, 8, 4, 0},
		[FIELD_VLAN] = {l->vlan, o.vlan, 2, 0},
		[FIELD_SVLAN] = {l->qinq, o.qinq, 2, 0},
		[FIELD_CVLAN] = {l->qinq, o.qinq + 4, 2, 0},
		[FIELD_LABEL] = {l->mpls, o.label, 4, 12},
		[FIELD_OUTER_SRC] = {l->gre, o.outer + 12, 4, 0},
		[FIELD_OUTER_DST] = {l->gre, o.outer + 16, 4, 0},
		[FIELD_GRE_KEY] = {l->gre, o.gre + 4, 4, 0},
		[FIELD_SRC_IP] = {true, o.ip + 12, 4, 0},
		[FIELD_DST_IP] = {true, o.ip + 16, 4, 0},
		[FIELD_SRC_PORT] = {true, o.udp, 2, 0},
		[FIELD_DST_PORT] = {true, o.udp + 2, 2, 0},
	};

	if (!places[field].there)
		return false;
	ret->at = (uint16_t)places[field].at;
	ret->len = places[field].len;
	ret->bits = (uint8_t)key_field_bits(field);
	ret->shift = places[field].shift;
	return true;
}

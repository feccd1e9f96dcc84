// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/proto/ip4.h"

bool mbuf_pull(struct rte_mbuf *m, unsigned want)
{
	if (m->data_len >= want)
		return true;
	if (m->pkt_len < want || rte_mbuf_refcnt_read(m) > 1 || !RTE_MBUF_DIRECT(m)
	    || want - m->data_len > rte_pktmbuf_tailroom(m))
		return false;
	while (m->data_len < want) {
		struct rte_mbuf *next = m->next;
		unsigned n = want - m->data_len;

		if (next == NULL || rte_mbuf_refcnt_read(next) > 1)
			return false;
		if (n > next->data_len)
			n = next->data_len;
		memcpy(rte_pktmbuf_mtod_offset(m, void *, m->data_len),
		       rte_pktmbuf_mtod(next, void *),
		       n);
		m->data_len = (uint16_t)(m->data_len + n);
		next->data_len = (uint16_t)(next->data_len - n);
		next->data_off = (uint16_t)(next->data_off + n);
		if (next->data_len == 0) {
			m->next = next->next;
			m->nb_segs--;
			rte_pktmbuf_free_seg(next);
		}
	}
	return true;
}

void mbuf_cut(struct rte_mbuf *m, unsigned len)
{
	struct rte_mbuf *s = m, *rest;
	uint16_t segments = 1;
	unsigned left = len;

	while (left > s->data_len && s->next != NULL) {
		left -= s->data_len;
		s = s->next;
		segments++;
	}
	s->data_len = (uint16_t)left;
	rest = s->next;
	s->next = NULL;
	m->nb_segs = segments;
	m->pkt_len = len;
	while (rest != NULL) {
		struct rte_mbuf *next = rest->next;

		rte_pktmbuf_free_seg(rest);
		rest = next;
	}
}

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_LSRR = 131,
	OPTION_SSRR = 137,
};

// Behind the fixed part of a header of that many bytes.
static enum ip4_fault check_options(const uint8_t *header, unsigned len)
{
	enum ip4_fault found = IP4_OK;

	for (unsigned at = sizeof(struct rte_ipv4_hdr); at < len && header[at] != OPTION_END;) {
		if (header[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 1 == len || header[at + 1] < 2 || header[at + 1] > len - at)
			return IP4_HEADER;
		if (header[at] == OPTION_LSRR || header[at] == OPTION_SSRR)
			found = IP4_SOURCE;
		at += header[at + 1];
	}
	return found;
}

enum ip4_fault ip4_check(struct rte_mbuf *m, unsigned at)
{
	const struct rte_ipv4_hdr *ip;
	unsigned header, total;

	if (!mbuf_pull(m, at + sizeof(*ip)))
		return IP4_SHORT;
	ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	header = (ip->version_ihl & 15u) * 4;
	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip))
		return IP4_HEADER;
	if (!mbuf_pull(m, at + header))
		return IP4_SHORT;
	ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	total = rte_be_to_cpu_16(ip->total_length);
	if (total < header || total > m->pkt_len - at)
		return IP4_HEADER;
	if (rte_raw_cksum(ip, header) != 0xffff)
		return IP4_SUM;
	if (at + total < m->pkt_len)
		mbuf_cut(m, at + total);
	return check_options((const uint8_t *)ip, header);
}

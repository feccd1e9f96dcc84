// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bng_bare.h"

#include <rte_byteorder.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_prefetch.h>
#include <rte_vect.h>
#include <string.h>

#define AHEAD 4

static inline uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

// 0xffff: the header's checksum is right.
static inline uint32_t sum20(const uint8_t *p)
{
	uint64_t a = get64(p), b = get64(p + 8), s;

	s = (a >> 32) + (uint32_t)a + (b >> 32) + (uint32_t)b + get32(p + 16);
	s = (s >> 32) + (uint32_t)s;
	s = (s >> 16) + (s & 0xffff);
	s = (s >> 16) + (s & 0xffff);
	return (uint16_t)((s >> 16) + s);
}

static inline bool bad_ip(const uint8_t *ip, unsigned room)
{
	unsigned len = rte_be_to_cpu_16(get16(ip + 2));
	uint8_t net = ip[16];

	return ip[0] != 0x45 || ip[8] <= 1 || len < 20 || len > room || sum20(ip) != 0xffff
	       || (uint8_t)(net - 1) >= 223 || net == 127;
}

static inline void age(uint8_t *ip)
{
	uint32_t s = get16(ip + 10) + rte_cpu_to_be_16(0x0100);
	uint16_t v = (uint16_t)(s + (s >= 0xffff));

	ip[8]--;
	memcpy(ip + 10, &v, sizeof(v));
}

static inline void fetch(struct rte_mbuf *m, unsigned more)
{
	rte_prefetch0(rte_pktmbuf_mtod(m, void *));
	if (more)
		rte_prefetch0(rte_pktmbuf_mtod_offset(m, void *, more));
}

static inline void fetch_heads(struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(m[i]);
}

static inline void drop(struct bare *b, struct rte_mbuf *m)
{
	b->bad++;
	rte_pktmbuf_free(m);
}

static inline void send_all(struct bare *b, struct rte_mbuf **m, uint16_t n)
{
	uint16_t sent = rte_eth_tx_burst(b->port, 0, m, n);

	while (unlikely(sent < n))
		drop(b, m[sent++]);
}

unsigned bare_routing(struct bare *b)
{
	struct rte_mbuf *m[BARE_BURST];
	uint32_t ips[BARE_BURST];
	const struct fib fib = b->fib;
	uint16_t got = rte_eth_rx_burst(b->port, 0, m, BARE_BURST), n = 0, out = 0;

	fetch_heads(m, got);
	for (uint16_t i = 0; i < AHEAD && i < got; i++)
		fetch(m[i], 0);
	for (uint16_t i = 0; i < got; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(m[i], uint8_t *);

		if (i + AHEAD < got)
			fetch(m[i + AHEAD], 0);
		if (unlikely(
			    m[i]->data_len < 34 || m[i]->pkt_len != m[i]->data_len
			    || get16(p + 12) != rte_cpu_to_be_16(0x0800) || (p[0] & 1) != 0
			    || bad_ip(p + 14, m[i]->data_len - 14)
		    )) {
			drop(b, m[i]);
			continue;
		}
		ips[n] = rte_be_to_cpu_32(get32(p + 30));
		fib_prefetch(&fib, ips[n]);
		m[n++] = m[i];
	}
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *p = rte_pktmbuf_mtod(m[i], uint8_t *);
		uint32_t hop = fib_find(&fib, ips[i]);

		if (unlikely(hop == 0 || m[i]->pkt_len > 1514)) {
			drop(b, m[i]);
			continue;
		}
		age(p + 14);
		_mm_storeu_si128(
			(__m128i *)p,
			_mm_blend_epi16(
				_mm_load_si128((const __m128i *)b->hops[hop].head),
				_mm_loadu_si128((__m128i *)p),
				0x80
			)
		);
		m[out++] = m[i];
	}
	send_all(b, m, out);
	return got;
}

static inline void learn(struct bare *b, struct bare_entry *e, const uint8_t *mac, uint32_t ip)
{
	const uint64_t want = (get64(mac) & UINT64_C(0xffffffffffff)) | (uint64_t)b->port << 48;
	const unsigned __int128 v = (unsigned __int128)(want ^ b->secret)
				    * (((uint64_t)b->now << 32 | ip) ^ ~b->secret);
	const uint32_t mark = (uint32_t)((uint64_t)(v >> 64) ^ (uint64_t)v) | 1;
	struct bare_user *u;

	if (likely(e->known == mark))
		return;
	u = &b->users[e->number];
	memcpy(u->mac, &want, sizeof(want));
	u->ip = ip;
	u->seen = b->now;
	e->known = mark;
}

unsigned bare_up(struct bare *b)
{
	struct rte_mbuf *m[BARE_BURST];
	const struct fib fib = b->fib;
	struct bare_entry *entry[BARE_BURST];
	uint32_t ips[BARE_BURST];
	uint16_t got = rte_eth_rx_burst(b->port, 0, m, BARE_BURST), n = 0, out = 0;
	const uint64_t types =
		(uint64_t)rte_cpu_to_be_16(0x88a8) | (uint64_t)rte_cpu_to_be_16(0x8100) << 32;

	fetch_heads(m, got);
	for (uint16_t i = 0; i < AHEAD && i < got; i++)
		fetch(m[i], 0);
	for (uint16_t i = 0; i < got; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(m[i], uint8_t *);
		uint64_t v;

		if (i + AHEAD < got)
			fetch(m[i + AHEAD], 0);
		if (unlikely(m[i]->data_len < 42 || m[i]->pkt_len != m[i]->data_len)) {
			drop(b, m[i]);
			continue;
		}
		v = get64(p + 12);
		if (unlikely(
			    (v & UINT64_C(0xffff0000ffff)) != types
			    || get16(p + 20) != rte_cpu_to_be_16(0x0800) || (p[0] & 1) != 0
			    || bad_ip(p + 22, m[i]->data_len - 22)
		    )) {
			drop(b, m[i]);
			continue;
		}
		entry[n] = &b->by_tags
				    [(rte_be_to_cpu_16((uint16_t)(v >> 16)) & 0xfff) << 12
				     | (rte_be_to_cpu_16((uint16_t)(v >> 48)) & 0xfff)];
		rte_prefetch1(entry[n]);
		ips[n] = rte_be_to_cpu_32(get32(p + 38));
		fib_prefetch(&fib, ips[n]);
		m[n++] = m[i];
	}
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *p = rte_pktmbuf_mtod(m[i], uint8_t *);
		const uint32_t number = entry[i]->number, to = fib_find(&fib, ips[i]);
		const struct bare_hop *hop = &b->hops[to];
		uint16_t len = rte_cpu_to_be_16((uint16_t)(m[i]->pkt_len - 22 + 28));
		uint32_t sum, key = rte_cpu_to_be_32(b->first + number - 1);

		if (unlikely(
			    number == 0 || to == 0 || m[i]->pkt_len > 1490 || m[i]->data_off < 24
		    )) {
			drop(b, m[i]);
			continue;
		}
		learn(b, entry[i], p + 6, get32(p + 34));
		age(p + 22);
		m[i]->data_off = (uint16_t)(m[i]->data_off - 24);
		m[i]->data_len = (uint16_t)(m[i]->data_len + 24);
		m[i]->pkt_len += 24;
		p -= 24;
		memcpy(p, hop->head, 42);
		memcpy(p + 42, &key, 4);
		memcpy(p + 20, &len, 2);
		sum = (uint32_t)hop->sum + len;
		sum = (sum >> 16) + (sum & 0xffff);
		len = (uint16_t)~sum;
		memcpy(p + 28, &len, 2);
		m[out++] = m[i];
	}
	send_all(b, m, out);
	return got;
}

unsigned bare_down(struct bare *b)
{
	struct rte_mbuf *m[BARE_BURST];
	uint32_t number[BARE_BURST];
	uint16_t got = rte_eth_rx_burst(b->port, 0, m, BARE_BURST), n = 0, out = 0;
	const __m128i access = _mm_loadu_si128((const __m128i *)b->access);

	fetch_heads(m, got);
	for (uint16_t i = 0; i < AHEAD && i < got; i++)
		fetch(m[i], 64);
	for (uint16_t i = 0; i < got; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(m[i], uint8_t *);
		unsigned len = m[i]->data_len, at;

		if (i + AHEAD < got)
			fetch(m[i + AHEAD], 64);
		if (unlikely(
			    len < 66 || m[i]->pkt_len != len
			    || get16(p + 12) != rte_cpu_to_be_16(0x8847) || (p[16] & 1) == 0
			    || bad_ip(p + 18, len - 18) || p[27] != IPPROTO_GRE
			    || (get16(p + 24) & rte_cpu_to_be_16(0x3fff)) != 0
			    || get32(p + 38) != rte_cpu_to_be_32(0x20000800)
			    || bad_ip(p + 46, len - 46)
		    )) {
			drop(b, m[i]);
			continue;
		}
		at = rte_be_to_cpu_32(get32(p + 42)) - b->first;
		number[n] = at < b->nusers ? at + 1 : 0;
		rte_prefetch1(&b->users[number[n]]);
		m[n++] = m[i];
	}
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *p = rte_pktmbuf_mtod(m[i], uint8_t *);
		const struct bare_user *u = &b->users[number[i]];
		uint32_t tag = (uint32_t)u->ctag << 16 | rte_cpu_to_be_16(0x8100);
		uint16_t type = rte_cpu_to_be_16(0x0800);
		__m128i v;

		if (unlikely(
			    number[i] == 0 || u->ip != get32(p + 62) || b->now - u->seen > 1000
			    || m[i]->pkt_len > 1546
		    )) {
			drop(b, m[i]);
			continue;
		}
		age(p + 46);
		v = _mm_blend_epi16(access, _mm_loadl_epi64((const __m128i *)u->mac), 0x07);
		v = _mm_insert_epi16(v, u->stag, 7);
		m[i]->data_off = (uint16_t)(m[i]->data_off + 24);
		m[i]->data_len = (uint16_t)(m[i]->data_len - 24);
		m[i]->pkt_len -= 24;
		p += 24;
		_mm_storeu_si128((__m128i *)p, v);
		memcpy(p + 16, &tag, 4);
		memcpy(p + 20, &type, 2);
		m[out++] = m[i];
	}
	send_all(b, m, out);
	return got;
}

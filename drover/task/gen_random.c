// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/gen_random.h"

#include "task/meter.h"

#include <errno.h>

#include <limits.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_random.h>
#include <rte_udp.h>
#include <string.h>

void gen_random_write(const struct gen_random *r, uint8_t *p)
{
	for (unsigned i = 0; i < r->n; i++) {
		uint32_t v = r->field[i].fixed | ((uint32_t)rte_rand() & r->field[i].mask);

		for (unsigned k = r->field[i].len; k-- > 0; v >>= 8)
			p[r->field[i].at + k] = (uint8_t)v;
	}
	if (r->ip > 0) {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(p + r->ip);

		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	}
}

static uint16_t word(const uint8_t *frame, unsigned at)
{
	return (uint16_t)(frame[at] << 8 | frame[at + 1]);
}

// Where the first IPv4 header is, behind VLAN tags and MPLS labels; 0: there is none, or not all of it.
static unsigned find_ip(const uint8_t *frame, unsigned size)
{
	unsigned at = 2 * RTE_ETHER_ADDR_LEN;
	uint16_t type = word(frame, at);

	at += 2;
	while (at + 4 <= size
	       && (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ
		   || type == RTE_ETHER_TYPE_QINQ1)) {
		type = word(frame, at + 2);
		at += 4;
	}
	if (type == RTE_ETHER_TYPE_MPLS) {
		while (at + 4 <= size && (frame[at + 2] & 1) == 0)
			at += 4;
		at += 4;
		type = RTE_ETHER_TYPE_IPV4;
	}
	if (type != RTE_ETHER_TYPE_IPV4 || at + sizeof(struct rte_ipv4_hdr) > size
	    || frame[at] >> 4 != 4 || (frame[at] & 0xf) < 5 || at + (frame[at] & 0xfu) * 4 > size)
		return 0;
	return at;
}

int gen_random_make(
	const struct key_random *k,
	uint8_t *frame,
	unsigned size,
	unsigned meter,
	struct gen_random *ret,
	struct err *err
)
{
	unsigned ip = find_ip(frame, size), l4 = ip > 0 ? ip + (frame[ip] & 0xfu) * 4 : 0;
	struct gen_random r = {.n = k->n};

	for (unsigned i = 0; i < k->n; i++) {
		unsigned at = k->field[i].at, end = at + k->field[i].len;

		if (!k->field[i].placed)
			return err_set(err, EINVAL, "random= without rand_offset= behind it");
		if (end > size)
			return err_set(
				err,
				EINVAL,
				"random= at rand_offset=%u does not fit a packet of %u bytes",
				at,
				size
			);
		if (meter != UINT_MAX && at < meter + METER_SIZE && end > meter)
			return err_set(
				err,
				EINVAL,
				"random= at rand_offset=%u is in the meter, %d bytes from lat "
				"pos=%u",
				at,
				METER_SIZE,
				meter
			);
		r.field[i].at = (uint16_t)at;
		r.field[i].len = k->field[i].len;
		r.field[i].fixed = k->field[i].fixed;
		r.field[i].mask = k->field[i].mask;
		if (ip == 0 || end <= ip)
			continue;
		if (at < l4)
			r.ip = (uint16_t)ip;
		// addresses and all behind the header count in UDP's checksum
		if (frame[ip + 9] == IPPROTO_UDP && l4 + sizeof(struct rte_udp_hdr) <= size)
			memset(frame + l4 + offsetof(struct rte_udp_hdr, dgram_cksum), 0, 2);
	}
	*ret = r;
	return 0;
}

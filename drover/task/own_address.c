// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/own_address.h"

#include "port/address.h"

#include <rte_ethdev.h>
#include <string.h>

#define TYPE_AT 12
#define GROUP 0x01 // of an address's first byte

_Static_assert(RTE_MAX_ETHPORTS < OWN_PORTS, "the last place is of packets from no port");

static struct own_address of_port(uint16_t port, uint16_t type)
{
	struct rte_ether_addr mac = port_address(port);
	uint8_t is[16] = {0}, mask[16] = {0};

	if (!rte_eth_dev_is_valid_port(port) || rte_is_zero_ether_addr(&mac)) {
		mask[0] = GROUP;
	} else {
		memcpy(is, &mac, sizeof(mac));
		memset(mask, 0xff, sizeof(mac));
	}
	memcpy(is + TYPE_AT, &type, sizeof(type));
	memset(mask + TYPE_AT, type != 0 ? 0xff : 0, sizeof(type));
	return (struct own_address){
		_mm_loadu_si128((const __m128i *)is),
		_mm_loadu_si128((const __m128i *)mask),
	};
}

void own_init(struct own *o, const struct task *t, uint16_t type)
{
	bool single = t->nrx == 1 && t->nctrl == 0 && t->rx[0].ring == NULL;

	o->tells = single ? 0 : OWN_PORTS - 1;
	for (uint16_t i = 0; i < OWN_PORTS; i++)
		o->port[i] = of_port(single ? t->rx[0].port : i, type);
}

bool own_takes(const struct own *o, const struct rte_mbuf *m)
{
	const struct own_address *a = &o->port[m->port & o->tells];
	uint8_t is[16], mask[16], differs = 0;
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	_mm_storeu_si128((__m128i *)is, a->is);
	_mm_storeu_si128((__m128i *)mask, a->mask);
	for (unsigned i = 0; i < RTE_ETHER_ADDR_LEN; i++)
		differs |= (uint8_t)((p[i] ^ is[i]) & mask[i]);
	return differs == 0;
}

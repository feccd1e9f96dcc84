// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "port/counters.h"

#include <string.h>

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void more(uint64_t *a, const uint64_t *seen)
{
	uint64_t b = __atomic_load_n(seen, __ATOMIC_RELAXED);

	*a = *a > b ? *a : b;
}

bool port_counters_get(const struct plane_port *p, struct port_counters *ret)
{
	uint64_t unfit = __atomic_load_n(&p->gate.unfit, __ATOMIC_RELAXED);

	memset(ret, 0, sizeof(*ret));
	if (p->id == RTE_MAX_ETHPORTS || rte_eth_stats_get(p->id, &ret->eth) != 0)
		return false;
	ret->eth.oerrors += unfit;
	more(&ret->eth.ipackets, &p->seen.ipackets);
	more(&ret->eth.opackets, &p->seen.opackets);
	more(&ret->eth.ibytes, &p->seen.ibytes);
	more(&ret->eth.obytes, &p->seen.obytes);
	if (p->xdp.n > 0) {
		xdp_sockets_count(&p->xdp, &ret->xdp);
		// rx_dropped is in it already
		ret->eth.imissed += ret->xdp.rx_ring_full;
		ret->eth.oerrors += ret->xdp.tx_invalid_descs;
		ret->eth.opackets = less(ret->eth.opackets, ret->xdp.tx_invalid_descs);
	}
	return true;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "port/address.h"

#include <rte_ethdev.h>
#include <string.h>

static struct rte_ether_addr said[RTE_MAX_ETHPORTS];

void port_address_set(uint16_t port, const struct rte_ether_addr *address)
{
	if (port < RTE_MAX_ETHPORTS)
		said[port] = *address;
}

struct rte_ether_addr port_address(uint16_t port)
{
	struct rte_ether_addr own = {0};

	if (port < RTE_MAX_ETHPORTS && !rte_is_zero_ether_addr(&said[port]))
		return said[port];
	if (rte_eth_macaddr_get(port, &own) < 0)
		memset(&own, 0, sizeof(own));
	return own;
}

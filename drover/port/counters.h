// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a port counts: ethdev's figures, made right by what the kernel and the outputs know better.
#pragma once

#include "drover.h"

#include <linux/if_xdp.h>
#include <rte_ethdev.h>

struct port_counters {
	struct rte_eth_stats eth;
	struct xdp_statistics xdp; // of AF_XDP; zero for others
};

// False: the driver says nothing, and all is zero.
bool port_counters_get(const struct plane_port *p, struct port_counters *ret);

// Before its device is replaced: the next one counts from zero.
void port_counters_keep(struct plane_port *p);

// False: the driver does not say.
bool port_link(const struct plane_port *p, struct rte_eth_link *ret);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The Ethernet address of a port: what it sends from, and what frames to it are for.
#pragma once

#include <rte_ether.h>
#include <stdint.h>

// The address of that ethdev number is this one, whatever its device says of itself: a device that has none
// to set filters nothing either. Before any task asks.
void port_address_set(uint16_t port, const struct rte_ether_addr *address);

// What was set, else the device's. Zero: it has none.
struct rte_ether_addr port_address(uint16_t port);

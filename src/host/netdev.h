// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the host uses its network interfaces for.
#pragma once

#include "host/hostfs.h"

// Bits.
enum {
	HOST_USE_ADDRESS = 1 << 0, // it has an address, or a route leads over it
	HOST_USE_DEFAULT = 1 << 1, // a default route does
};

struct host_routes {
	unsigned n, room;
	struct host_used *used; // each interface once
};

void host_routes_read(const struct hostfs *fs, struct host_routes *ret);
void host_routes_done(struct host_routes *r);

// HOST_USE_… of the interface `netdev`, whose directory is path below at, and of whatever is on top of it. upper: the
// nearest bond, bridge or VLAN there; left as it is where there is none.
unsigned host_netdev_uses(
	int at,
	const char *path,
	const char *netdev,
	const struct host_routes *routes,
	char upper[static 16]
);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the kernel counts of AF_XDP sockets. DPDK's driver counts as sent whatever it wrote into the ring,
// also descriptors that the kernel then refuses, and keeps its sockets to itself.
#pragma once

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>

#define XDP_SOCKETS 64

struct xdp_sockets {
	unsigned n;
	int fd[XDP_SOCKETS]; // of the driver: not ours to close
};

// The AF_XDP sockets that this process has open.
void xdp_sockets_all(struct xdp_sockets *ret);

// Those of them that were not there before.
void xdp_sockets_since(const struct xdp_sockets *before, struct xdp_sockets *ret);

// Adds up what the kernel says of each.
void xdp_sockets_count(const struct xdp_sockets *s, struct xdp_statistics *ret);

// Whether that interface is software (veth, tap, a bridge): what a local kernel sends there has no card below it.
bool xdp_is_software(const char *interface);

#define XDP_CURE 96

// Whether tags that a kernel or card has beside a frame may be missing in what comes by that interface; and the command that
// puts them in.
bool xdp_loses_tags(const char *interface, char ret[static XDP_CURE]);

// From now on what that ethdev port receives has its checksums finished.
int xdp_finish_checksums(uint16_t port, uint16_t nrxq);

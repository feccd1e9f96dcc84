// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "port/counters.h"

#include "base/scope.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void more(uint64_t *a, const uint64_t *seen)
{
	uint64_t b = __atomic_load_n(seen, __ATOMIC_RELAXED);

	*a = *a > b ? *a : b;
}

static void add(struct rte_eth_stats *a, const struct rte_eth_stats *b)
{
	a->ipackets += b->ipackets;
	a->opackets += b->opackets;
	a->ibytes += b->ibytes;
	a->obytes += b->obytes;
	a->imissed += b->imissed;
	a->ierrors += b->ierrors;
	a->oerrors += b->oerrors;
	a->rx_nombuf += b->rx_nombuf;
}

void port_counters_keep(struct plane_port *p)
{
	struct rte_eth_stats now;

	if (rte_eth_stats_get(p->id, &now) == 0)
		add(&p->past, &now);
}

bool port_counters_get(const struct plane_port *p, struct port_counters *ret)
{
	uint64_t unfit = __atomic_load_n(&p->gate.unfit, __ATOMIC_RELAXED);

	memset(ret, 0, sizeof(*ret));
	if (p->id == RTE_MAX_ETHPORTS)
		return false;
	if (p->packet != NULL)
		packet_count(p->packet, &ret->eth);
	else if (rte_eth_stats_get(p->id, &ret->eth) != 0)
		return false;
	ret->eth.oerrors += unfit;
	add(&ret->eth, &p->past);
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

// One of the same name that was made since is another.
static bool interface_runs(const struct plane_port *p)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};

	if (if_nametoindex(p->device.interface) != p->ifindex)
		return false;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%.15s", p->device.interface);
	return ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP)
	       && (r.ifr_flags & IFF_RUNNING);
}

bool port_link(const struct plane_port *p, struct rte_eth_link *ret)
{
	memset(ret, 0, sizeof(*ret));
	// links.c has asked, and its driver complains each time
	if (__atomic_load_n(&p->down, __ATOMIC_RELAXED))
		return true;
	if (rte_eth_link_get_nowait(p->id, ret) != 0)
		return false;
	// the drivers of the kernel's interfaces say "up" for ever
	if (p->ifindex != 0 && !interface_runs(p))
		ret->link_status = RTE_ETH_LINK_DOWN;
	return true;
}

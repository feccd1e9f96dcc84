// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/proto/frame_kind.h"

#include "task/proto/ip4.h"

#include <rte_ether.h>
#include <string.h>

#define ADDRESSES 12 // bytes of both

bool frame_untag(struct rte_mbuf *m)
{
	const struct rte_vlan_hdr *tag;
	char *at;

	if (!mbuf_pull(m, sizeof(struct rte_ether_hdr) + sizeof(*tag)))
		return false;
	at = rte_pktmbuf_mtod(m, char *);
	tag = (const struct rte_vlan_hdr *)(at + sizeof(struct rte_ether_hdr));
	if (((const struct rte_ether_hdr *)at)->ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN)
	    || (tag->vlan_tci & RTE_BE16(0x0fff)) != 0)
		return false;
	memmove(at + sizeof(*tag), at, ADDRESSES);
	rte_pktmbuf_adj(m, sizeof(*tag));
	return true;
}

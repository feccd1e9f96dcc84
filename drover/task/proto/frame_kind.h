// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a frame is that is not of the kind a mode is for: a reason to drop it says so by its name.
#pragma once

#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

enum frame_kind {
	KIND_ARP = 0,
	KIND_IPV6,
	KIND_PPPOE,
	KIND_LLDP,
	KIND_CFM,
	KIND_TAG, // a VLAN, or one more than there may be
	KIND_END, // another
};

// Those reasons, of a list of TASK_DROP_REASONS: DROP_KIND + a kind.
#define KIND_DROPS(DROP)          \
	DROP(KIND, "arp")         \
	DROP(KIND_IPV6, "ipv6")   \
	DROP(KIND_PPPOE, "pppoe") \
	DROP(KIND_LLDP, "lldp")   \
	DROP(KIND_CFM, "cfm")     \
	DROP(KIND_TAG, "another tag")

// A priority tag (IEEE 802.1Q: a tag of VLAN 0) is taken away: the frame is one without. False: it has
// none. With true the Ethernet header behind it is in the first segment.
bool frame_untag(struct rte_mbuf *m);

// By its EtherType, as in a packet.
static inline enum frame_kind frame_kind(uint16_t type)
{
	switch (rte_be_to_cpu_16(type)) {
	case 0x0806:
		return KIND_ARP;
	case 0x86dd:
		return KIND_IPV6;
	case 0x8863: // discovery
	case 0x8864: // session
		return KIND_PPPOE;
	case 0x88cc:
		return KIND_LLDP;
	case 0x8902: // IEEE 802.1ag
		return KIND_CFM;
	case 0x8100:
	case 0x88a8:
	case 0x9100:
		return KIND_TAG;
	default:
		return KIND_END;
	}
}

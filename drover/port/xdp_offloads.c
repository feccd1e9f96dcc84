// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the interface of an AF_XDP port is to do with frames beside carrying them, as ethtool(8) has it. Tags of VLANs may not
// be in the frame, where AF_XDP would see them: a card can take them off, and a kernel leaves it to the card to put them in,
// also to a veth, which hands them over beside the frame.

#include "port/xdp.h"

#include "base/scope.h"
#include "base/str.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static bool ask(int fd, const char *interface, void *command)
{
	struct ifreq r = {.ifr_data = command};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%.15s", interface);
	return ioctl(fd, SIOCETHTOOL, &r) == 0;
}

// A card has an address on some bus.
bool xdp_is_software(const char *interface)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	return !ask(fd, interface, &info) || strpbrk(info.bus_info, "0123456789") == NULL;
}

// How many words of that kind (ETH_SS_…) it has.
static unsigned count(int fd, const char *interface, unsigned kind)
{
	_cleanup_free_ struct ethtool_sset_info *c = calloc(1, sizeof(*c) + sizeof(c->data[0]));

	if (c == NULL)
		return 0;
	c->cmd = ETHTOOL_GSSET_INFO;
	c->sset_mask = UINT64_C(1) << kind;
	return ask(fd, interface, c) && c->sset_mask != 0 ? c->data[0] : 0;
}

// Those words; NULL: none.
static struct ethtool_gstrings *words(int fd, const char *interface, unsigned kind, unsigned n)
{
	struct ethtool_gstrings *s = calloc(1, sizeof(*s) + (size_t)n * ETH_GSTRING_LEN);

	if (s == NULL)
		return NULL;
	s->cmd = ETHTOOL_GSTRINGS;
	s->string_set = kind;
	s->len = n;
	if (n > 0 && ask(fd, interface, s))
		return s;
	free(s);
	return NULL;
}

// Whether it has tags beside its frames: "rx-" of those that come, "tx-" of those that go.
static bool keeps_beside(int fd, const char *interface, const char *way)
{
	unsigned n = count(fd, interface, ETH_SS_FEATURES), size = (n + 31) / 32;
	_cleanup_free_ struct ethtool_gstrings *name = words(fd, interface, ETH_SS_FEATURES, n);
	_cleanup_free_ struct ethtool_gfeatures *f =
		calloc(1, sizeof(*f) + size * sizeof(f->features[0]));

	if (name == NULL || f == NULL)
		return false;
	f->cmd = ETHTOOL_GFEATURES;
	f->size = size;
	if (!ask(fd, interface, f))
		return false;
	for (unsigned i = 0; i < n; i++) {
		const char *at = (const char *)name->data + (size_t)i * ETH_GSTRING_LEN;

		// for tags of either type, and not to filter by them
		if (strncmp(at, way, 3) == 0 && strncmp(at + 3, "vlan-", 5) == 0
		    && strstr(at, "-hw-") != NULL
		    && (f->features[i / 32].active >> (i % 32) & 1) != 0)
			return true;
	}
	return false;
}

// Number of the other end of a veth, where that is; 0: it is none.
static unsigned peer_of(int fd, const char *interface)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	_cleanup_free_ struct ethtool_gstrings *name = NULL;
	_cleanup_free_ struct ethtool_stats *s = NULL;
	unsigned n;

	if (!ask(fd, interface, &info) || !str_eq(info.driver, "veth"))
		return 0;
	n = count(fd, interface, ETH_SS_STATS);
	name = words(fd, interface, ETH_SS_STATS, n);
	s = calloc(1, sizeof(*s) + n * sizeof(s->data[0]));
	if (name == NULL || s == NULL || !str_eq((const char *)name->data, "peer_ifindex"))
		return 0;
	s->cmd = ETHTOOL_GSTATS;
	s->n_stats = n;
	return ask(fd, interface, s) ? (unsigned)s->data[0] : 0;
}

bool xdp_loses_tags(const char *interface, char ret[static XDP_CURE])
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned peer = peer_of(fd, interface);
	char name[IF_NAMESIZE];

	if (peer == 0) {
		snprintf(ret, XDP_CURE, "ethtool -K %.15s rxvlan off rx-vlan-stag-hw-parse off", interface);
		return !xdp_is_software(interface) && keeps_beside(fd, interface, "rx-");
	}
	// in another network that number is another's, or nobody's
	if (if_indextoname(peer, name) == NULL || peer_of(fd, name) != if_nametoindex(interface))
		strcpy(name, "PEER");
	else if (!keeps_beside(fd, name, "tx-"))
		return false;
	snprintf(ret, XDP_CURE, "ethtool -K %.15s txvlan off tx-vlan-stag-hw-insert off", name);
	return true;
}

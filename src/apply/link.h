// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Network interfaces of a network namespace, by rtnetlink(7), and who they are, by sysfs.
#pragma once

#include "base/err.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define LINK_ADDRESSES 32
#define LINK_ADDRESS 48 // an address in words, and no padding
#define LINK_ALTNAMES 8
#define LINK_ALTNAME 128 // ALTIFNAMSIZ
#define LINK_MAC 32	 // bytes of the longest hardware address
// What is put back; the rest follows from the state of the device.
#define LINK_FLAGS (IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST | IFF_NOARP)

// A network namespace, which this process need not be in. Its interfaces are asked for in it.
struct link_view {
	int socket; // rtnetlink(7)
	int sysfs;  // a sysfs of it, mounted nowhere
};

#define NO_LINK_VIEW ((struct link_view){.socket = -1, .sysfs = -1})

struct link_address {
	int family;
	unsigned prefix, scope;
	char local[LINK_ADDRESS], peer[LINK_ADDRESS],
		broadcast[LINK_ADDRESS]; // peer: as local where there is none; "": none
};

struct link {
	char name[IFNAMSIZ];
	// Of its directory in sysfs. It stays the same when the interface gets another name or namespace, and no other one
	// has it: whoever may make interfaces there can give one the index, name and address of another, but not this.
	uint64_t inode;
	// of the one on the same host that it is on top of (macvlan, VLAN); 0: none
	uint64_t lower;
	char lower_device[256];
	char device[256]; // the directory: "devices/pci0000:00/0000:00:04.0/net/eth1"
	char rdma[32];	  // the InfiniBand device of its function that is moved with it, or ""
	unsigned index, flags, mtu;
	unsigned mac_len;
	unsigned char mac[LINK_MAC];
	unsigned naltnames;
	bool more_altnames; // than are here
	char altnames[LINK_ALTNAMES][LINK_ALTNAME];
	// those that somebody set for good: others have a time to live, or follow from the link
	unsigned naddresses;
	struct link_address addresses[LINK_ADDRESSES];
};

// Of the namespace fd, which stays the caller's.
int link_view_open(int fd, struct link_view *ret, struct err *err);
void link_view_close(struct link_view *v);

// All but its addresses and what it is on.
int link_look(struct link_view *v, const char *name, struct link *ret, struct err *err);
int link_look_addresses(struct link_view *v, struct link *l, struct err *err);
int link_look_lower(struct link_view *v, struct link *l, struct err *err);
// Its name now. False: it is not in that namespace.
bool link_find(const struct link_view *v, uint64_t inode, char ret[static IFNAMSIZ]);

// What follows returns 0 or -errno. What it should be already is no error.
int link_move(struct link_view *v, unsigned index, int to, const char *name);
int link_rename(struct link_view *v, unsigned index, const char *name);
int link_set_flags(struct link_view *v, unsigned index, unsigned flags, unsigned mask);
int link_set_mtu(struct link_view *v, unsigned index, unsigned mtu);
int link_set_mac(struct link_view *v, unsigned index, const unsigned char *mac, unsigned len);
int link_add_address(struct link_view *v, unsigned index, const struct link_address *a);
int link_altname(struct link_view *v, unsigned index, const char *name, bool add);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Network interfaces.

#include "inside/audit/audit.h"
#include "inside/files.h"

#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// Every new network namespace has some interfaces of tunnels that are down and lead nowhere.
static bool up(int fd, const char *name)
{
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP) != 0;
}

static bool granted(const struct given *g, const char *name)
{
	for (unsigned i = 0; i < g->ninterfaces; i++)
		if (str_eq(g->interfaces[i], name))
			return true;
	return false;
}

static void interfaces(const struct audit *a, struct finding *f)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	_cleanup_names_ struct names others = {0};
	_cleanup_names_ struct names all = names_of_netdevs();
	unsigned down = 0;

	for (size_t i = 0; i < all.n; i++) {
		if (str_eq(all.v[i], "lo") || granted(&a->given, all.v[i]))
			continue;
		if (up(fd, all.v[i]))
			names_add(&others, all.v[i]);
		else
			down++;
	}
	if (all.n == 0 || fd < 0)
		fail(f, "could not be tried");
	else if (others.n > 0)
		fail(f, "up beside lo: %s", name_list(&others, 8));
	else
		pass(f, "only lo and %u granted are up; %u are down", a->given.ninterfaces, down);
	if (fd >= 0)
		close(fd);
}

const struct property audit_network[] = {
	{"net-interfaces",
	 "look for interfaces beside lo that are up",
	 interfaces,
	 .machine = true},
	{0},
};

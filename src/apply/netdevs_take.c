// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Interfaces of the host are moved into a container's network namespace.

#include "apply/netdevs.h"

#include "apply/apply.h"
#include "apply/rdma.h"
#include "base/fs.h"
#include "base/scope.h"
#include "host/hostfs.h"
#include "host/rdma.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

// "192.0.2.1/24", which grant_netdev_parse has let in.
static struct link_address named(const char *text)
{
	struct link_address a = {.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
	size_t n = strcspn(text, "/");

	snprintf(a.local, sizeof(a.local), "%.*s", (int)n, text);
	sscanf(text + n, "/%u", &a.prefix);
	return a;
}

// Else what a router on the link says sets addresses and routes of the container, which nobody asked for.
static int ignore_routers(int ns, const char *name)
{
	_cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", name);
	if (here < 0 || setns(ns, CLONE_NEWNET) < 0)
		return -errno;
	r = fs_write_value(path, "0");
	if (setns(here, CLONE_NEWNET) < 0)
		return -errno;
	return r == -ENOENT ? 0 : r; // a kernel without IPv6 has none
}

// As it is to be in the container.
static int furnish(
	struct link_view *v,
	int ns,
	const struct grant_netdev *n,
	const struct link *was,
	struct err *err
)
{
	unsigned naddresses = n->has.naddresses > 0 ? n->has.naddresses : was->naddresses;
	struct link now;
	int r;

	if (link_look(v, n->inside, &now, err) < 0)
		return -err->code;
	r = n->has.mtu != 0 ? link_set_mtu(v, now.index, n->has.mtu) : 0;
	if (r < 0)
		return err_sys(err, -r, "netdev '%s': set its MTU to %u", n->name, n->has.mtu);
	for (unsigned i = 0; i < naddresses; i++) {
		struct link_address a =
			n->has.naddresses > 0 ? named(n->has.addresses[i]) : was->addresses[i];

		r = link_add_address(v, now.index, &a);
		if (r == -EINVAL && a.family == AF_INET6 && n->has.mtu != 0
		    && n->has.mtu < INTERFACE_MTU6)
			return err_set(
				err,
				EINVAL,
				"netdev '%s': %s/%u, which it has, takes an MTU of %d at least; "
				"say mtu=%d, or other addresses",
				n->name,
				a.local,
				a.prefix,
				INTERFACE_MTU6,
				INTERFACE_MTU6
			);
		if (r < 0)
			return err_sys(
				err, -r, "netdev '%s': give it %s/%u", n->name, a.local, a.prefix
			);
	}
	r = ignore_routers(ns, n->inside);
	if (r < 0)
		return err_sys(err, -r, "netdev '%s': set accept_ra to 0", n->name);
	r = link_set_flags(v, now.index, IFF_UP, IFF_UP);
	return r < 0 ? err_sys(err, -r, "netdev '%s': set it up", n->name) : 0;
}

// Of the function of an interface: "devices/pci0000:00/0000:00:04.0/net/eth1".
static void look_rdma(
	const struct link_view *v,
	const struct link *l,
	const char *dir,
	char ret[static HOST_RDMA_NAME]
)
{
	_cleanup_free_ char *path = str_printf("%s/../..", l->device);
	_cleanup_close_ int fd = path != NULL ? hostfs_dir(v->sysfs, path) : -1;

	ret[0] = '\0';
	if (fd >= 0)
		host_rdma_entry(fd, dir, ret);
}

// The kernel makes it anew there, under the first number that is free: the node that the container has is of the one before.
static int move_rdma(
	const struct link_view *home, int from, int ns, const struct link *was, struct err *err
)
{
	char before[HOST_RDMA_NAME], now[HOST_RDMA_NAME];
	int r;

	look_rdma(home, was, "infiniband_verbs", before);
	r = rdma_move(from, ns, was->rdma);
	if (r < 0)
		return err_sys(
			err,
			-r,
			"netdev '%s': move InfiniBand device '%s' to the container",
			was->name,
			was->rdma
		);
	look_rdma(home, was, "infiniband_verbs", now);
	if (!str_eq(before, now))
		return err_set(
			err,
			EAGAIN,
			"netdev '%s': the kernel has made '%s' of InfiniBand device '%s', which "
			"was '%s'; start it again",
			was->name,
			now,
			was->rdma,
			before
		);
	return 0;
}

static int move_there(
	struct link_view *home,
	struct link_view *inside,
	int from,
	int ns,
	const struct grant_netdev *n,
	const struct link *was,
	struct err *err
)
{
	int r;

	if (n->rdma && move_rdma(home, from, ns, was, err) < 0)
		return -err->code;
	r = link_move(home, was->index, ns, n->inside);
	if (r == -EINVAL)
		return err_set(
			err,
			EINVAL,
			"netdev '%s': the kernel moves none of its kind to another network "
			"namespace; put a veth or macvlan on it, and name that",
			n->name
		);
	if (r < 0)
		return err_sys(
			err, -r, "netdev '%s': move it to the container as '%s'", n->name, n->inside
		);
	return furnish(inside, ns, n, was, err);
}

static int parse(const struct step *s, struct grant_netdev *ret, unsigned *n, struct err *err)
{
	_cleanup_free_ char *copy = strdup(s->value);
	char *save = NULL;

	if (copy == NULL)
		return err_oom(err);
	*n = 0;
	for (char *w = strtok_r(copy, " ", &save); w != NULL && *n < GRANT_NETDEVS;
	     w = strtok_r(NULL, " ", &save)) {
		if (grant_netdev_parse(w, &ret[(*n)++], err) < 0)
			return -err->code;
	}
	return 0;
}

static int take_all(
	int dir,
	struct link_view *home,
	struct link_view *inside,
	int from,
	int ns,
	const struct grant_netdev *netdevs,
	unsigned n,
	struct err *err
)
{
	struct netdev_record *r scope_cleanup(scope_free) = calloc(1, sizeof(*r));
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (r == NULL)
		return err_oom(err);
	hostfs_boot_id(root, r->boot_id);
	for (; r->n < n; r->n++) {
		if (link_look(home, netdevs[r->n].name, &r->was[r->n], err) < 0
		    || link_look_addresses(home, &r->was[r->n], err) < 0
		    || link_look_lower(home, &r->was[r->n], err) < 0)
			return -err->code;
		if (r->was[r->n].more_altnames)
			return err_set(
				err,
				E2BIG,
				"netdev '%s' has more than %d alternative names, which could not "
				"be "
				"given back; take some away",
				netdevs[r->n].name,
				LINK_ALTNAMES
			);
		if (netdevs[r->n].rdma)
			look_rdma(home, &r->was[r->n], "infiniband", r->was[r->n].rdma);
		if (netdevs[r->n].rdma && r->was[r->n].rdma[0] == '\0')
			return err_set(
				err,
				ENODEV,
				"netdev '%s': its NIC has no InfiniBand device any more",
				netdevs[r->n].name
			);
	}
	if (netdev_record_write(dir, r, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < n; i++) {
		if (move_there(home, inside, from, ns, &netdevs[i], &r->was[i], err) < 0)
			return -err->code;
	}
	return 0;
}

int apply_netdevs(const struct step *s, struct err *err)
{
	_cleanup_close_ int dir = fs_mkdirs(s->path, 0700, err);
	_cleanup_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int inside = open(PLAN_NETNS, O_RDONLY | O_CLOEXEC);
	struct link_view from scope_cleanup(link_view_close) = NO_LINK_VIEW;
	struct link_view to scope_cleanup(link_view_close) = NO_LINK_VIEW;
	struct grant_netdev netdevs[GRANT_NETDEVS];
	unsigned n = 0;

	if (dir < 0)
		return dir;
	if (home < 0 || inside < 0)
		return err_sys(err, errno, "open network namespaces");
	// what it tells of would never come back
	if (netdev_record_exists(dir))
		return err_set(
			err,
			EEXIST,
			"'%s' has netdevs that are not back yet; call: pinfold gc",
			s->path
		);
	if (parse(s, netdevs, &n, err) < 0 || netdevs_keep(dir, s->path, NS_HOME, home, err) < 0
	    || netdevs_keep(dir, s->path, NS_THERE, inside, err) < 0
	    || link_view_open(home, &from, err) < 0 || link_view_open(inside, &to, err) < 0)
		return -err->code;
	return take_all(dir, &from, &to, home, inside, netdevs, n, err);
}

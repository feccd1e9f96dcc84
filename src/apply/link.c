// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/link.h"

#include "apply/netlink.h"
#include "base/dir.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define DUMP_TRIES 100
#define CLASS_NET "class/net"

// ---- a namespace

// Where this process is, for a moment. Both belong to the namespace that they are made in.
static int open_here(struct link_view *v, struct err *err)
{
	_cleanup_close_ int fs = -1;

	v->socket = netlink_open(NETLINK_ROUTE);
	if (v->socket < 0)
		return err_sys(err, -v->socket, "open a netlink socket");
	fs = fsopen("sysfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0
	    || (v->sysfs = fsmount(fs, FSMOUNT_CLOEXEC, 0)) < 0)
		return err_sys(err, errno, "mount a sysfs of a network namespace");
	return 0;
}

int link_view_open(int fd, struct link_view *ret, struct err *err)
{
	struct link_view v = NO_LINK_VIEW;
	_cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (here < 0 || setns(fd, CLONE_NEWNET) < 0)
		return err_sys(err, errno, "enter a network namespace");
	r = open_here(&v, err);
	// it was there a moment ago
	if (setns(here, CLONE_NEWNET) < 0)
		r = err_sys(err, errno, "leave a network namespace");
	if (r < 0) {
		link_view_close(&v);
		return r;
	}
	*ret = v;
	return 0;
}

void link_view_close(struct link_view *v)
{
	scope_close(&v->socket);
	scope_close(&v->sysfs);
	*v = NO_LINK_VIEW;
}

// ---- questions

static struct ifinfomsg *begin_link(
	struct netlink_message *m, unsigned type, unsigned index, unsigned flags
)
{
	struct ifinfomsg *i = netlink_begin(m, type, NLM_F_ACK | flags, sizeof(*i));

	i->ifi_index = (int)index;
	return i;
}

static bool is_text(const struct rtattr *a, size_t room)
{
	size_t n = RTA_PAYLOAD(a);

	return n > 0 && n <= room && strnlen(RTA_DATA(a), n) < n;
}

static void take_altnames(const struct rtattr *list, struct link *l)
{
	struct netlink_list inner = netlink_inner(list);
	const struct rtattr *a;

	while ((a = netlink_next(&inner)) != NULL) {
		if (a->rta_type != IFLA_ALT_IFNAME || !is_text(a, LINK_ALTNAME))
			continue;
		if (l->naltnames == LINK_ALTNAMES)
			l->more_altnames = true;
		else
			strcpy(l->altnames[l->naltnames++], RTA_DATA(a));
	}
}

static int take_link(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	struct netlink_list list = netlink_list(h, sizeof(*i));
	const struct rtattr *a;
	struct link *l = arg;

	l->index = (unsigned)i->ifi_index;
	l->flags = i->ifi_flags;
	while ((a = netlink_next(&list)) != NULL) {
		unsigned type = a->rta_type & ~(unsigned)NLA_F_NESTED, n = (unsigned)RTA_PAYLOAD(a);

		if (type == IFLA_MTU && n == sizeof(l->mtu))
			memcpy(&l->mtu, RTA_DATA(a), n);
		else if (type == IFLA_ADDRESS && n <= LINK_MAC)
			memcpy(l->mac, RTA_DATA(a), l->mac_len = n);
		else if (type == IFLA_PROP_LIST)
			take_altnames(a, l);
	}
	return 0;
}

static void to_text(int family, const struct rtattr *a, char ret[static LINK_ADDRESS])
{
	if (RTA_PAYLOAD(a) == (family == AF_INET ? 4 : 16))
		inet_ntop(family, RTA_DATA(a), ret, LINK_ADDRESS);
}

static int take_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *i = NLMSG_DATA(h);
	struct link_address a = {.family = i->ifa_family, .prefix = i->ifa_prefixlen};
	uint32_t flags = i->ifa_flags;
	struct link *l = arg;
	struct netlink_list list = netlink_list(h, sizeof(*i));
	const struct rtattr *n;

	if (i->ifa_index != l->index || (a.family != AF_INET && a.family != AF_INET6))
		return 0;
	a.scope = i->ifa_scope;
	while ((n = netlink_next(&list)) != NULL) {
		unsigned type = n->rta_type;

		if (type == IFA_LOCAL)
			to_text(a.family, n, a.local);
		else if (type == IFA_ADDRESS)
			to_text(a.family, n, a.peer);
		else if (type == IFA_BROADCAST)
			to_text(a.family, n, a.broadcast);
		else if (type == IFA_FLAGS && RTA_PAYLOAD(n) == sizeof(flags))
			memcpy(&flags, RTA_DATA(n), sizeof(flags));
	}
	if (a.local[0] == '\0')
		strcpy(a.local, a.peer);
	if ((flags & IFA_F_PERMANENT) == 0 || (a.family == AF_INET6 && a.scope == RT_SCOPE_LINK))
		return 0;
	if (l->naddresses == LINK_ADDRESSES)
		return -E2BIG;
	l->addresses[l->naddresses++] = a;
	return 0;
}

static int look_in_sysfs(const struct link_view *v, struct link *l)
{
	char path[64], target[512];
	_cleanup_close_ int dir = -1;
	struct stat st;
	uint64_t index;
	ssize_t n;

	snprintf(path, sizeof(path), CLASS_NET "/%s", l->name);
	dir = openat(v->sysfs, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = readlinkat(v->sysfs, path, target, sizeof(target) - 1);
	if (n < 0 || dir < 0 || fstat(dir, &st) < 0)
		return -errno;
	// the name was given to another meanwhile
	if (hostfs_u64(dir, "ifindex", &index) < 0 || index != l->index)
		return -EAGAIN;
	target[n] = '\0';
	l->inode = st.st_ino;
	// "../../devices/…"; for people, and to know which function it is of
	snprintf(
		l->device,
		sizeof(l->device),
		"%.*s",
		(int)sizeof(l->device) - 1,
		str_starts(target, "../../") ? target + 6 : target
	);
	return 0;
}

int link_look(struct link_view *v, const char *name, struct link *ret, struct err *err)
{
	struct netlink_message m;
	struct link l = {0};
	int r;

	snprintf(l.name, sizeof(l.name), "%s", name);
	begin_link(&m, RTM_GETLINK, 0, 0);
	netlink_put_text(&m, IFLA_IFNAME, l.name);
	r = netlink_ask(v->socket, &m, take_link, &l);
	if (r == 0)
		r = look_in_sysfs(v, &l);
	if (r < 0)
		return err_sys(err, -r, "netdev '%s': ask the kernel about it", name);
	*ret = l;
	return 0;
}

int link_look_addresses(struct link_view *v, struct link *l, struct err *err)
{
	struct netlink_message m;
	int r = -EINTR;

	// another's change came between
	for (unsigned i = 0; r == -EINTR && i < DUMP_TRIES; i++) {
		l->naddresses = 0;
		netlink_begin(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
		r = netlink_ask(v->socket, &m, take_address, l);
	}
	if (r == -E2BIG)
		return err_set(
			err,
			E2BIG,
			"netdev '%s' has more than %d addresses, which could not be given back; "
			"take some away",
			l->name,
			LINK_ADDRESSES
		);
	return r < 0 ? err_sys(err, -r, "netdev '%s': ask for its addresses", l->name) : 0;
}

int link_look_lower(struct link_view *v, struct link *l, struct err *err)
{
	_cleanup_free_ char *path = str_printf(CLASS_NET "/%s", l->name);
	_cleanup_closedir_ DIR *d = path != NULL ? dir_open(v->sysfs, path, 0) : NULL;
	struct dirent *e;
	struct link below;

	if (d == NULL)
		return err_sys(err, errno, "netdev '%s': read its directory", l->name);
	// what is moved at all is on one
	while ((e = dir_next(d)) != NULL) {
		if (!str_starts(e->d_name, "lower_"))
			continue;
		if (link_look(v, e->d_name + strlen("lower_"), &below, err) < 0)
			return -err->code;
		l->lower = below.inode;
		strcpy(l->lower_device, below.device);
		break;
	}
	return 0;
}

bool link_find(const struct link_view *v, uint64_t inode, char ret[static IFNAMSIZ])
{
	_cleanup_closedir_ DIR *d = dir_open(v->sysfs, CLASS_NET, 0);
	struct dirent *e;
	struct stat st;

	while ((e = dir_next(d)) != NULL) {
		if (e->d_name[0] == '.' || strlen(e->d_name) >= IFNAMSIZ
		    || fstatat(dirfd(d), e->d_name, &st, 0) < 0 || st.st_ino != inode)
			continue;
		strcpy(ret, e->d_name);
		return true;
	}
	return false;
}

// ---- changes

int link_move(struct link_view *v, unsigned index, int to, const char *name)
{
	struct netlink_message m;

	begin_link(&m, RTM_SETLINK, index, 0);
	netlink_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)to);
	netlink_put_text(&m, IFLA_IFNAME, name);
	return netlink_ask(v->socket, &m, NULL, NULL);
}

int link_rename(struct link_view *v, unsigned index, const char *name)
{
	struct netlink_message m;

	begin_link(&m, RTM_SETLINK, index, 0);
	netlink_put_text(&m, IFLA_IFNAME, name);
	return netlink_ask(v->socket, &m, NULL, NULL);
}

int link_set_flags(struct link_view *v, unsigned index, unsigned flags, unsigned mask)
{
	struct netlink_message m;
	struct ifinfomsg *i = begin_link(&m, RTM_SETLINK, index, 0);

	i->ifi_flags = flags;
	i->ifi_change = mask;
	return netlink_ask(v->socket, &m, NULL, NULL);
}

int link_set_mtu(struct link_view *v, unsigned index, unsigned mtu)
{
	struct netlink_message m;

	begin_link(&m, RTM_SETLINK, index, 0);
	netlink_put_u32(&m, IFLA_MTU, mtu);
	return netlink_ask(v->socket, &m, NULL, NULL);
}

int link_set_mac(struct link_view *v, unsigned index, const unsigned char *mac, unsigned len)
{
	struct netlink_message m;

	begin_link(&m, RTM_SETLINK, index, 0);
	netlink_put(&m, IFLA_ADDRESS, mac, len);
	return netlink_ask(v->socket, &m, NULL, NULL);
}

static void put_address(struct netlink_message *m, int family, unsigned type, const char *text)
{
	unsigned char bytes[16];

	if (inet_pton(family, text, bytes) == 1)
		netlink_put(m, type, bytes, family == AF_INET ? 4 : 16);
}

int link_add_address(struct link_view *v, unsigned index, const struct link_address *a)
{
	struct netlink_message m;
	struct ifaddrmsg *i =
		netlink_begin(&m, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	int r;

	i->ifa_family = (unsigned char)a->family;
	i->ifa_prefixlen = (unsigned char)a->prefix;
	i->ifa_scope = (unsigned char)a->scope;
	i->ifa_index = index;
	put_address(&m, a->family, IFA_LOCAL, a->local);
	put_address(&m, a->family, IFA_ADDRESS, a->peer[0] != '\0' ? a->peer : a->local);
	put_address(&m, a->family, IFA_BROADCAST, a->broadcast);
	r = netlink_ask(v->socket, &m, NULL, NULL);
	return r == -EEXIST ? 0 : r;
}

int link_altname(struct link_view *v, unsigned index, const char *name, bool add)
{
	struct netlink_message m;
	struct rtattr *list;

	begin_link(
		&m,
		add ? RTM_NEWLINKPROP : RTM_DELLINKPROP,
		index,
		add ? NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND : 0
	);
	list = netlink_nest(&m, IFLA_PROP_LIST);
	netlink_put_text(&m, IFLA_ALT_IFNAME, name);
	netlink_nest_end(&m, list);
	return netlink_ask(v->socket, &m, NULL, NULL);
}

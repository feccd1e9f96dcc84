// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Network interfaces, as in the kernel's Documentation/ABI/testing/sysfs-class-net, and its lists of routes.

#include "host/netdev.h"

#include "base/scope.h"
#include "base/str.h"

#include <ifaddrs.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define IF_NAME 16 // IFNAMSIZ
#define NET_DIR "sys/class/net"

struct host_used {
	char netdev[IF_NAME];
	unsigned use;
};

static void add_use(struct host_routes *routes, const char *netdev, unsigned use)
{
	struct host_used *more;

	for (unsigned i = 0; i < routes->n; i++) {
		if (str_eq(routes->used[i].netdev, netdev)) {
			routes->used[i].use |= use;
			return;
		}
	}
	if (strlen(netdev) >= IF_NAME || str_eq(netdev, "lo"))
		return;
	if (routes->n == routes->room) {
		more = reallocarray(routes->used, routes->room + 64, sizeof(*more));
		if (more == NULL)
			return;
		routes->used = more;
		routes->room += 64;
	}
	routes->used[routes->n] = (struct host_used){.use = use};
	strcpy(routes->used[routes->n++].netdev, netdev);
}

#define RTF_UP 0x0001
#define RTF_REJECT 0x0200

static bool is_zeros(const char *s)
{
	return *s != '\0' && s[strspn(s, "0")] == '\0';
}

// Iface Destination Gateway Flags RefCnt Use Metric Mask …; see fib_route_seq_show of the kernel.
static void parse_route4(const char *line, struct host_routes *routes)
{
	char netdev[IF_NAME], destination[33], mask[33];
	unsigned flags;

	if (sscanf(line, "%15s %32s %*s %x %*s %*s %*s %32s", netdev, destination, &flags, mask)
	    != 4)
		return;
	if ((flags & RTF_UP) != 0 && (flags & RTF_REJECT) == 0)
		add_use(routes,
			netdev,
			is_zeros(destination) && is_zeros(mask)
				? HOST_USE_DEFAULT | HOST_USE_ADDRESS
				: HOST_USE_ADDRESS);
}

// Destination, its prefix length, source, its prefix length, next hop, metric, two counters, flags,
// interface; see rt6_info_route of the kernel.
static void parse_route6(const char *line, struct host_routes *routes)
{
	char netdev[IF_NAME], destination[33], prefix[3];
	unsigned flags;

	if (sscanf(line,
		   "%32s %2s %*s %*s %*s %*s %*s %*s %x %15s",
		   destination,
		   prefix,
		   &flags,
		   netdev)
	    != 4)
		return;
	if (is_zeros(destination) && is_zeros(prefix) && (flags & RTF_UP) != 0
	    && (flags & RTF_REJECT) == 0)
		add_use(routes, netdev, HOST_USE_DEFAULT | HOST_USE_ADDRESS);
}

// Address, index, prefix length, scope, flags, name: if6_seq_show of the kernel. An interface gives itself one for
// its link (scope 20).
static void parse_address6(const char *line, struct host_routes *routes)
{
	char netdev[IF_NAME];
	unsigned scope;

	if (sscanf(line, "%*s %*s %*s %x %*s %15s", &scope, netdev) == 2 && scope == 0)
		add_use(routes, netdev, HOST_USE_ADDRESS);
}

// An address without a route of its own. A copy of another machine's files has none.
static void read_addresses4(struct host_routes *routes)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next) {
		if (a->ifa_addr != NULL && a->ifa_addr->sa_family == AF_INET)
			add_use(routes, a->ifa_name, HOST_USE_ADDRESS);
	}
	freeifaddrs(all);
}

// A router may have a million routes: line by line, not whole.
static void read_routes(
	const struct hostfs *fs,
	const char *path,
	void (*parse)(const char *line, struct host_routes *routes),
	struct host_routes *routes
)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, path);
	char line[512];

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		parse(line, routes);
}

#define UPPERS_MAX 4 // VLAN on a bridge on a bond on a port

// What the interface whose directory is path, or a bond, bridge or VLAN on top of it (its link
// upper_NAME), is used for: taking a port away from under a bridge cuts the host off as surely. upper: the nearest.
static unsigned uses_of(
	int at,
	const char *path,
	const char *netdev,
	const struct host_routes *routes,
	unsigned depth,
	char *upper
)
{
	_cleanup_closedir_ DIR *d = NULL;
	unsigned use = 0;
	const char *name;

	for (unsigned i = 0; i < routes->n; i++) {
		if (str_eq(routes->used[i].netdev, netdev))
			use |= routes->used[i].use;
	}
	if (depth == UPPERS_MAX)
		return use;
	d = hostfs_opendir(at, path);
	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		_cleanup_free_ char *above = NULL;

		if (!str_starts(name, "upper_"))
			continue;
		name += strlen("upper_");
		if (upper != NULL && strlen(name) < IF_NAME)
			strcpy(upper, name);
		above = str_printf("%s/upper_%s", path, name);
		if (above != NULL)
			use |= uses_of(at, above, name, routes, depth + 1, NULL);
	}
	return use;
}

unsigned host_netdev_uses(
	int at,
	const char *path,
	const char *netdev,
	const struct host_routes *routes,
	char upper[static IF_NAME]
)
{
	return uses_of(at, path, netdev, routes, 0, upper);
}

void host_routes_read(const struct hostfs *fs, struct host_routes *ret)
{
	struct host_routes routes = {0};

	read_routes(fs, "proc/net/route", parse_route4, &routes);
	read_routes(fs, "proc/net/ipv6_route", parse_route6, &routes);
	read_routes(fs, "proc/net/if_inet6", parse_address6, &routes);
	if (fs->real)
		read_addresses4(&routes);
	*ret = routes;
}

void host_routes_done(struct host_routes *r)
{
	free(r->used);
	*r = (struct host_routes){0};
}

// ---- all of them

// Where /sys/class/net/NAME points, from /sys.
static void read_path(int root, const char *path, char ret[static 256])
{
	char target[256];
	ssize_t n = readlinkat(root, path, target, sizeof(target));

	if (n < 0 || n == sizeof(target))
		return;
	target[n] = '\0';
	strcpy(ret, str_starts(target, "../../") ? target + 6 : target);
}

int host_read_netdevs(const struct hostfs *fs, struct host *h, struct err *err)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, NET_DIR);
	struct host_routes routes = {0};
	unsigned room = 0;
	const char *name;
	int r = 0;

	if (d == NULL)
		return 0;
	host_routes_read(fs, &routes);
	while (r == 0 && (name = hostfs_next(d)) != NULL) {
		_cleanup_free_ char *path = str_printf(NET_DIR "/%s", name);
		_cleanup_close_ int dir = path != NULL ? hostfs_dir(fs->root, path) : -1;
		struct host_netdev *n;
		struct stat st;
		unsigned use;

		// bonding_masters is a file
		if (dir < 0 || strlen(name) >= sizeof(n->name))
			continue;
		if (h->nnetdevs == room) {
			room = room == 0 ? 32 : room * 2;
			n = reallocarray(h->netdevs, room, sizeof(*n));
			if (n == NULL) {
				r = err_oom(err);
				break;
			}
			h->netdevs = n;
		}
		n = &h->netdevs[h->nnetdevs++];
		*n = (struct host_netdev){0};
		strcpy(n->name, name);
		read_path(fs->root, path, n->path);
		n->inode = fstat(dir, &st) == 0 ? st.st_ino : 0;
		use = uses_of(fs->root, path, name, &routes, 0, n->upper);
		n->default_route = (use & HOST_USE_DEFAULT) != 0;
		n->addressed = (use & HOST_USE_ADDRESS) != 0;
	}
	host_routes_done(&routes);
	return r;
}

const struct host_netdev *host_netdev(const struct host *h, const char *name)
{
	for (unsigned i = 0; i < h->nnetdevs; i++) {
		if (str_eq(h->netdevs[i].name, name))
			return &h->netdevs[i];
	}
	return NULL;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/bus/pci/devices, as described in the kernel's Documentation/ABI/testing/sysfs-bus-pci.

#include "host/netdev.h"
#include "host/nic.h"
#include "host/vfio.h"

#include "base/scope.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PCI_DIR "sys/bus/pci/devices"

// "0000:3b:00.1", in lower case as the kernel prints it; behind some bridges the domain has more
// than four digits.
static bool is_bdf(const char *name)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = strspn(name, hex);

	if (n < 4 || n > 7 || name[n] != ':')
		return false;
	name += n + 1;
	return strspn(name, hex) == 2 && name[2] == ':' && strspn(name + 3, hex) == 2
	       && name[5] == '.' && name[6] >= '0' && name[6] <= '7' && name[7] == '\0';
}

// The interfaces in the directory path ("…/net"): the one with a default route, else the first by
// name.
static void read_netdevs(
	int at, const char *path, const struct host_routes *routes, struct host_pci *p
)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(at, path);
	const char *name;

	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		_cleanup_free_ char *netdev = str_printf("%s/%s", path, name);
		unsigned use;
		bool routed;

		if (netdev == NULL || strlen(name) >= sizeof(p->netdev))
			continue;
		use = host_netdev_uses(at, netdev, name, routes, p->upper);
		routed = (use & HOST_USE_DEFAULT) != 0;
		if (p->netdev[0] == '\0' || (routed && !p->default_route)
		    || (routed == p->default_route && strcmp(name, p->netdev) < 0))
			strcpy(p->netdev, name);
		p->default_route |= routed;
		p->addressed |= (use & HOST_USE_ADDRESS) != 0;
	}
}

// The interface is a child of the function, or of its virtio device: BDF/virtio0/net/eth0.
static void read_net(int root, const struct host_routes *routes, struct host_pci *p)
{
	_cleanup_closedir_ DIR *d = NULL;
	char path[384];
	const char *name;

	snprintf(path, sizeof(path), PCI_DIR "/%s/net", p->bdf);
	read_netdevs(root, path, routes, p);
	if (p->netdev[0] != '\0' || !str_starts(p->driver, "virtio"))
		return;
	snprintf(path, sizeof(path), PCI_DIR "/%s", p->bdf);
	d = hostfs_opendir(root, path);
	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		if (!str_starts(name, "virtio"))
			continue;
		snprintf(path, sizeof(path), PCI_DIR "/%s/%s/net", p->bdf, name);
		read_netdevs(root, path, routes, p);
	}
}

static unsigned read_unsigned(int dir, const char *name, unsigned max)
{
	uint64_t v;

	return hostfs_u64(dir, name, &v) == 0 && v <= max ? (unsigned)v : 0;
}

// The device's place in /sys from its link, or, where the entry is no link into devices/, itself.
static void read_path(int root, struct host_pci *p)
{
	char entry[64], target[1024];
	const char *s = target, *last;

	snprintf(entry, sizeof(entry), PCI_DIR "/%s", p->bdf);
	snprintf(p->path, sizeof(p->path), "%s", entry + strlen("sys/"));
	if (hostfs_link(root, entry, target, sizeof(target)) < 0)
		return;
	while (str_starts(s, "../"))
		s += 3;
	last = strrchr(s, '/');
	if (str_starts(s, "devices/") && strstr(s, "/..") == NULL && str_eq(last + 1, p->bdf)
	    && strlen(s) < sizeof(p->path))
		strcpy(p->path, s);
}

// Fails with -ENOENT when the function went away meanwhile.
static int read_function(
	int root, const struct host_routes *routes, const struct idset *nodes, struct host_pci *p
)
{
	_cleanup_close_ int dir = -1;
	char path[64];
	bool noiommu;

	snprintf(path, sizeof(path), PCI_DIR "/%s", p->bdf);
	dir = hostfs_dir(root, path);
	if (dir < 0)
		return -ENOENT;
	read_path(root, p);
	p->vendor = read_unsigned(dir, "vendor", 0xffff);
	p->device = read_unsigned(dir, "device", 0xffff);
	p->class = read_unsigned(dir, "class", 0xffffff);
	if (hostfs_link_name(dir, "driver", p->driver, sizeof(p->driver)) < 0)
		p->driver[0] = '\0';
	p->iommu_group = host_vfio_group_of(&(struct hostfs){.root = root}, p->bdf, &noiommu);
	if (noiommu)
		p->iommu_group = -1;
	p->node = -1;
	// firmware names nodes that are not there
	if (hostfs_int(dir, "numa_node", &p->node) == 0
	    && (p->node < 0 || !idset_has(nodes, (unsigned)p->node)))
		p->node = -1;
	if (hostfs_link_name(dir, "physfn", p->physfn, sizeof(p->physfn)) < 0 || !is_bdf(p->physfn))
		p->physfn[0] = '\0';
	p->totalvfs = read_unsigned(dir, "sriov_totalvfs", 0xffff);
	if (p->totalvfs > 0)
		p->numvfs = read_unsigned(dir, "sriov_numvfs", 0xffff);
	if (host_pci_is_nic(p))
		read_net(root, routes, p);
	return 0;
}

static int by_bdf(const void *a, const void *b)
{
	return strcmp(((const struct host_pci *)a)->bdf, ((const struct host_pci *)b)->bdf);
}

int host_read_pci(const struct hostfs *fs, struct host *h, struct err *err)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, PCI_DIR);
	struct host_routes routes = {0};
	unsigned room = 0;
	const char *name;

	if (d == NULL)
		return 0;
	host_routes_read(fs, &routes);
	while ((name = hostfs_next(d)) != NULL) {
		struct host_pci *p;

		if (!is_bdf(name)) {
			host_note(h, PCI_DIR "/%s: left out: no address that is known here", name);
			continue;
		}
		if (h->npci == room) {
			room = room == 0 ? 64 : room * 2;
			p = reallocarray(h->pci, room, sizeof(*p));
			if (p == NULL) {
				host_routes_done(&routes);
				return err_oom(err);
			}
			h->pci = p;
		}
		p = &h->pci[h->npci];
		*p = (struct host_pci){0};
		snprintf(p->bdf, sizeof(p->bdf), "%s", name);
		if (read_function(fs->root, &routes, &h->nodes_online, p) == 0)
			h->npci++;
	}
	host_routes_done(&routes);
	if (h->npci > 0)
		qsort(h->pci, h->npci, sizeof(*h->pci), by_bdf);
	return 0;
}

bool host_bdf(const char *s, char ret[static 16])
{
	static const char form[] = "xxxx:xx:yx.z"; // y: 0 or 1, z: 0 to 7
	char buf[16];

	if (snprintf(buf, sizeof(buf), "%s%s", strlen(s) == 7 ? "0000:" : "", s)
	    != (int)sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i] != '\0'; i++) {
		char c = buf[i];

		if (form[i] == 'x' || form[i] == 'y' || form[i] == 'z') {
			if (!isxdigit((unsigned char)c) || (form[i] == 'y' && c > '1')
			    || (form[i] == 'z' && c > '7'))
				return false;
			buf[i] = (char)tolower((unsigned char)c);
		} else if (c != form[i]) {
			return false;
		}
	}
	strcpy(ret, buf);
	return true;
}

const struct host_pci *host_pci(const struct host *h, const char *bdf)
{
	struct host_pci key = {0};

	if (h->npci == 0 || strlen(bdf) >= sizeof(key.bdf))
		return NULL;
	strcpy(key.bdf, bdf);
	return bsearch(&key, h->pci, h->npci, sizeof(*h->pci), by_bdf);
}

const struct host_pci *host_nic_called(const struct host *h, const char *name)
{
	const struct host_pci *p = host_pci(h, name);
	char bdf[16];

	if (p != NULL || host_bdf(name, bdf))
		return p != NULL ? p : host_pci(h, bdf);
	for (unsigned i = 0; name[0] != '\0' && i < h->npci; i++) {
		if (str_eq(h->pci[i].netdev, name))
			return &h->pci[i];
	}
	return NULL;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/nic.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "host/rdma.h"

#include <errno.h>
#include <string.h>

#define CLASS_NETWORK 0x02 // the upper 8 bits of the class

// The files of the interface are found by /sys/class/net, where each has its name once.
static void look_at_netdev(const struct hostfs *fs, const char *netdev, struct host_nic *n)
{
	_cleanup_free_ char *path = str_printf("sys/class/net/%s", netdev);
	_cleanup_close_ int dir = path != NULL ? hostfs_dir(fs->root, path) : -1;

	if (dir < 0)
		return;
	if (hostfs_line(dir, "address", n->mac, sizeof(n->mac)) < 0)
		n->mac[0] = '\0';
	if (hostfs_line(dir, "operstate", n->link, sizeof(n->link)) < 0)
		n->link[0] = '\0';
	// EINVAL while it is down
	if (hostfs_int(dir, "speed", &n->speed) < 0 || n->speed < 0)
		n->speed = -1;
}

void host_nic_look(const struct hostfs *fs, const struct host_pci *p, struct host_nic *ret)
{
	_cleanup_free_ char *path = str_printf("sys/%s", p->path);
	_cleanup_close_ int dir = path != NULL ? hostfs_dir(fs->root, path) : -1;
	struct host_nic n = {.speed = -1};

	*ret = n;
	if (dir < 0)
		return;
	// "(null)": none
	if (hostfs_line(dir, "driver_override", n.override, sizeof(n.override)) < 0
	    || str_eq(n.override, "(null)"))
		n.override[0] = '\0';
	host_rdma_entry(dir, "infiniband", n.rdma);
	host_rdma_entry(dir, "infiniband_verbs", n.uverbs);
	if (p->netdev[0] != '\0')
		look_at_netdev(fs, p->netdev, &n);
	*ret = n;
}

bool host_nic_uio(const char *driver)
{
	return str_eq(driver, "uio_pci_generic") || str_eq(driver, "igb_uio");
}

bool host_nic_for_programs(const char *driver)
{
	return str_eq(driver, "vfio-pci") || host_nic_uio(driver);
}

int host_nic_check_vfs(const struct host_pci *p, struct err *err)
{
	if (p->numvfs == 0)
		return 0;
	return err_set(
		err,
		EBUSY,
		"NIC %s has %u VFs, which depend on its driver; take them away first: pinfold nic "
		"vfs %s 0",
		p->bdf,
		p->numvfs,
		p->bdf
	);
}

bool host_pci_is_nic(const struct host_pci *p)
{
	return p->class >> 16 == CLASS_NETWORK;
}

bool host_nic_bifurcated(const char *driver)
{
	return str_eq(driver, "mlx5_core") || str_eq(driver, "mlx4_core");
}

bool host_pci_harmless(const struct host_pci *p)
{
	return p->driver[0] == '\0' || str_eq(p->driver, "pcieport")
	       || str_eq(p->driver, "pci-stub");
}

// ---- names

// "VVVV  name", and below it, after a tab, "DDDD  name"; see the head of the file.
static bool is_entry(const char *line, unsigned id)
{
	char want[8];

	snprintf(want, sizeof(want), "%04x  ", id & 0xffff);
	return strncmp(line, want, 6) == 0;
}

static void take_name(const char *entry, char ret[static HOST_PCI_NAME])
{
	snprintf(ret, HOST_PCI_NAME, "%.*s", (int)strcspn(entry + 6, "\r\n"), entry + 6);
	str_plain(ret);
}

void host_pci_names(
	const struct host_pci *p,
	char vendor[static HOST_PCI_NAME],
	char device[static HOST_PCI_NAME]
)
{
	static const char *const files[] = {"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"};
	_cleanup_fclose_ FILE *f = NULL;
	char line[512];
	bool inside = false;

	vendor[0] = device[0] = '\0';
	for (size_t i = 0; f == NULL && i < ARRAY_LEN(files); i++)
		f = fopen(files[i], "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (line[0] != '\t') {
			if (inside)
				return;
			inside = is_entry(line, p->vendor);
			if (inside)
				take_name(line, vendor);
		} else if (inside && line[1] != '\t' && is_entry(line + 1, p->device)) {
			take_name(line + 1, device);
			return;
		}
	}
}

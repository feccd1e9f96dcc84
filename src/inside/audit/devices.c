// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Device nodes that were not granted. Nodes are asked for permission, also of the device cgroup; only
// harmless ones are opened: opening alone starts a watchdog.

#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/files.h"
#include "inside/show.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

// The number of VFIO's groups is dynamic: "242 vfio". 0: the list does not have it.
static unsigned vfio_major(void)
{
	_cleanup_fclose_ FILE *list = fopen("/proc/devices", "re");
	char line[128], name[64];
	unsigned number;

	while (list != NULL && fgets(line, sizeof(line), list) != NULL) {
		if (sscanf(line, "%u %63s", &number, name) == 2 && str_eq(name, "vfio"))
			return number;
	}
	return 0;
}

// The device of a NIC on UIO, or of one beside its kernel driver, has its number where nobody inside can write.
static bool is_of(const char *pci, const char *class, const char *dir, const char *path, dev_t rdev)
{
	char file[PATH_MAX], want[32];
	_cleanup_fclose_ FILE *f = NULL;
	unsigned maj, min;

	if (!str_starts(path, dir))
		return false;
	snprintf(
		file,
		sizeof(file),
		"/sys/bus/pci/devices/%s/%s/%s/dev",
		pci,
		class,
		path + strlen(dir)
	);
	f = fopen(file, "re");
	return f != NULL && fgets(want, sizeof(want), f) != NULL
	       && sscanf(want, "%u:%u", &maj, &min) == 2 && rdev == makedev(maj, min);
}

static bool any_vfio(const struct given *g)
{
	for (unsigned i = 0; i < g->nnics; i++) {
		if (!g->nics[i].uio && !g->nics[i].bifurcated)
			return true;
	}
	return false;
}

// By name and number: a name alone could be that of any device.
static bool granted(const struct given *g, const char *path)
{
	const struct {
		const char *path;
		bool there;
		unsigned minor;
	} known[] = {
		{"/dev/net/tun", g->port, 200},
		{"/dev/vhost-net", g->vhost, 238},
		{"/dev/vfio/vfio", any_vfio(g), 196},
	};
	struct stat st;
	char group[32];

	if (lstat(path, &st) < 0 || !S_ISCHR(st.st_mode))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].there && str_eq(path, known[i].path))
			return st.st_rdev == makedev(10, known[i].minor);
	}
	for (unsigned i = 0; i < g->nnics; i++) {
		const char *pci = g->nics[i].pci;

		if ((g->nics[i].uio && is_of(pci, "uio", "/dev/", path, st.st_rdev))
		    || (g->nics[i].bifurcated
			&& is_of(pci, "infiniband_verbs", "/dev/infiniband/", path, st.st_rdev)))
			return true;
		if (g->nics[i].uio || g->nics[i].bifurcated)
			continue;
		snprintf(group, sizeof(group), "/dev/vfio/%u", g->nics[i].iommu_group);
		if (str_eq(path, group))
			return major(st.st_rdev) == vfio_major();
	}
	return false;
}

static void nodes(const struct audit *a, struct finding *f)
{
	_cleanup_names_ struct names there = device_nodes(), more = {0};

	for (size_t i = 0; i < there.n; i++)
		if (!granted(&a->given, there.v[i]))
			names_add(&more, there.v[i]);
	if (more.n > 0)
		fail(f, "may open %zu nodes: %s", more.n, name_list(&more, 6));
	else
		pass(f, "none but the ordinary ones and %zu granted", there.n);
}

// Devices that every kernel has and whose opening changes nothing.
static const struct device {
	const char *name;
	mode_t kind;
	unsigned major, minor;
} devices[] = {
	{"mem", S_IFCHR, 1, 1},
	{"port", S_IFCHR, 1, 4},
	{"kmsg", S_IFCHR, 1, 11},
	{"vfio", S_IFCHR, 10, 196},
	{"net/tun", S_IFCHR, 10, 200},
	{"fuse", S_IFCHR, 10, 229},
	{"kvm", S_IFCHR, 10, 232},
	{"loop-control", S_IFCHR, 10, 237},
	{"vhost-net", S_IFCHR, 10, 238},
	{"cpu/0/msr", S_IFCHR, 202, 0},
};

// Makes the node, tries to open it, removes it.
static void try_node(const char *dir, const struct device *d, struct names *made, int *why)
{
	_cleanup_close_ int fd = -1;
	const char *path = audit_path(dir);
	char word[64];

	if (mknod(path, d->kind | 0600, makedev(d->major, d->minor)) < 0) {
		*why = errno;
		return;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	unlink(path);
	snprintf(word, sizeof(word), "%s in %s%s", d->name, dir, fd >= 0 ? " (opened)" : "");
	names_add(made, word);
}

// The first disk, whose number is not fixed.
static void try_disk(const char *dir, struct names *made, int *why)
{
	_cleanup_fclose_ FILE *list = fopen("/proc/partitions", "re");
	struct device disk = {.name = "a disk", .kind = S_IFBLK};
	char line[256];

	while (list != NULL && fgets(line, sizeof(line), list) != NULL) {
		if (sscanf(line, "%u %u", &disk.major, &disk.minor) != 2)
			continue;
		try_node(dir, &disk, made, why);
		return;
	}
}

static void make(const struct audit *, struct finding *f)
{
	static const char *const dirs[] = {"/tmp", "/run", "/dev/shm", "/dev", "/var/tmp", "."};
	_cleanup_names_ struct names made = {0};
	int why = 0;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		for (size_t k = 0; k < ARRAY_LEN(devices); k++)
			try_node(dirs[i], &devices[k], &made, &why);
		try_disk(dirs[i], &made, &why);
	}
	if (made.n > 0)
		fail(f, "made %zu nodes: %s", made.n, name_list(&made, 5));
	else
		pass(f, "none could be made: %s", strerrorname_np(why) ?: "?");
}

const struct property audit_devices[] = {
	{"dev-nodes", "ask every node in /dev whether it may be opened", nodes},
	{"dev-make", "mknod memory, ports, disks and others where it can write, open them", make},
	{0},
};

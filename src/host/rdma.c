// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/rdma.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

void host_rdma_entry(int function, const char *name, char ret[static HOST_RDMA_NAME])
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(function, name);
	const char *entry;

	ret[0] = '\0';
	while (d != NULL && (entry = hostfs_next(d)) != NULL) {
		// in any order: that of one number is told each time
		if (strlen(entry) < HOST_RDMA_NAME && (ret[0] == '\0' || strcmp(entry, ret) < 0))
			strcpy(ret, entry);
	}
}

static unsigned count(int function, const char *name)
{
	_cleanup_free_ char *path = str_printf("infiniband/%s/ports", name);
	_cleanup_closedir_ DIR *d = path != NULL ? hostfs_opendir(function, path) : NULL;
	unsigned n = 0;

	while (d != NULL && hostfs_next(d) != NULL)
		n++;
	return n;
}

int host_rdma_find(
	const struct hostfs *fs, const struct host_pci *p, struct host_rdma *ret, struct err *err
)
{
	_cleanup_free_ char *path = str_printf("sys/%s", p->path);
	_cleanup_close_ int dir = path != NULL ? hostfs_dir(fs->root, path) : -1;
	struct host_rdma r = {0};
	char file[96], line[32];
	unsigned maj, min;

	if (dir >= 0) {
		host_rdma_entry(dir, "infiniband", r.name);
		host_rdma_entry(dir, "infiniband_verbs", r.node);
	}
	snprintf(file, sizeof(file), "infiniband_verbs/%s/dev", r.node);
	if (r.name[0] == '\0' || r.node[0] == '\0' || hostfs_line(dir, file, line, sizeof(line)) < 0
	    || sscanf(line, "%u:%u", &maj, &min) != 2)
		return err_set(
			err,
			ENODEV,
			"NIC %s has no InfiniBand device that programs may use; load the modules "
			"%.5sib and ib_uverbs (modprobe -a)",
			p->bdf,
			str_eq(p->driver, "mlx4_core") ? "mlx4_" : "mlx5_"
		);
	r.rdev = makedev(maj, min);
	r.ports = count(dir, r.name);
	*ret = r;
	return 0;
}

bool host_rdma_asks_namespaces(const char *release)
{
	unsigned major, minor;

	return sscanf(release, "%u.%u", &major, &minor) == 2
	       && (major > 6 || (major == 6 && minor >= 17));
}

bool host_rdma_exclusive(const struct hostfs *fs)
{
	char line[8];

	// "Y": shared
	return hostfs_line(fs->root, "sys/module/ib_core/parameters/netns_mode", line, sizeof(line))
		       >= 0
	       && line[0] == 'N';
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/vfio.h"

#include "host/hostfs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

// A "dev" file of sysfs: "242:3".
static int read_dev(const struct hostfs *fs, const char *path, dev_t *ret)
{
	char line[32];
	unsigned maj, min;
	int r = hostfs_line(fs->root, path, line, sizeof(line));

	if (r < 0)
		return r;
	if (sscanf(line, "%u:%u", &maj, &min) != 2)
		return -EINVAL;
	*ret = makedev(maj, min);
	return 0;
}

int host_vfio_container(const struct hostfs *fs, dev_t *ret, struct err *err)
{
	int r = read_dev(fs, "sys/class/misc/vfio/dev", ret);

	if (r < 0)
		return err_sys(
			err,
			-r,
			"find '/dev/vfio/vfio'; load the modules vfio-pci and vfio_iommu_type1"
		);
	return 0;
}

int host_vfio_group(const struct hostfs *fs, int group, dev_t *ret, struct err *err)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "sys/class/vfio/%d/dev", group);
	r = read_dev(fs, path, ret);
	if (r < 0)
		return err_sys(
			err, -r, "find '/dev/vfio/%d'; bind its functions to vfio-pci", group
		);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/vfio.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
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

// The kernel opens a group once (EBUSY, drivers/vfio/group.c). A device that was opened by it keeps the group
// open, and so does a mapping of one, or a descriptor on its way in a socket; a device that was opened beside
// it (/dev/vfio/devices) keeps it from being opened. No file of sysfs says as much: the device is enabled only
// while it is open itself.
static int in_use(const struct hostfs *fs, const char *kind, int group, struct err *err)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	struct stat st;
	dev_t rdev;
	int r;

	snprintf(path, sizeof(path), "sys/class/vfio/%s%d/dev", kind, group);
	r = read_dev(fs, path, &rdev);
	if (r == -ENOENT) // unbinding its functions waits until nobody has them
		return 0;
	snprintf(path, sizeof(path), "dev/vfio/%s%d", kind, group);
	if (r == 0) {
		fd = fs_open_in(fs->root, path, O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
		r = fd < 0 ? -errno : 0;
	}
	if (r == -EBUSY)
		return 1;
	if (r == -ENODEV || r == -ENXIO) // unbound just now
		return 0;
	if (r == 0 && (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != rdev))
		r = -ENODEV;
	return r < 0 ? err_sys(
		       err,
		       -r,
		       "see whether VFIO group %s%d is in use by opening '/%s' (%u:%u)",
		       kind,
		       group,
		       path,
		       major(rdev),
		       minor(rdev)
	       )
		     : 0;
}

int host_vfio_in_use(const struct hostfs *fs, int group, struct err *err)
{
	return in_use(fs, "", group, err);
}

int host_vfio_noiommu_in_use(const struct hostfs *fs, int group, struct err *err)
{
	return in_use(fs, "noiommu-", group, err);
}

int host_vfio_group_of(const struct hostfs *fs, const char *bdf, bool *ret_noiommu)
{
	char path[64], number[16], name[32];
	uint64_t v;

	*ret_noiommu = false;
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%.15s/iommu_group", bdf);
	if (hostfs_link_name(fs->root, path, number, sizeof(number)) < 0
	    || host_parse_u64(number, 10, "", &v) < 0 || v > INT32_MAX)
		return -1;
	snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%d/name", (int)v);
	*ret_noiommu = hostfs_line(fs->root, path, name, sizeof(name)) >= 0
		       && str_eq(name, "vfio-noiommu");
	return (int)v;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which processes have a VFIO group open, to name them: /proc tells descriptors. Not seen are those of a thread
// that shares them with none, those on their way in a socket, and a device that is only mapped.

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "host/vfio.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEVICE_LINK "anon_inode:[vfio-device]"
#define DEVICE_NODE "/vfio/devices/vfio" // Linux 6.6: opened beside the group

struct seen {
	bool group;  // it has the group
	bool other;  // it has another one
	bool device; // it has a device; only new kernels would say of which group
};

// What the link says of the node of a group: in a container that has ended, whose mounts are gone, no more than "/".
static bool may_be_group(const char *link)
{
	const char *node = strstr(link, "/vfio/");

	if (node == NULL)
		return str_eq(link, "/");
	node += strlen("/vfio/");
	return strspn(node, "0123456789") == strlen(node);
}

// Nothing is asked of a file system, which may be one that does not answer.
static void look_at(int dir, const char *name, dev_t group, struct seen *seen)
{
	char link[PATH_MAX];
	ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);
	struct statx st;

	if (n < 0)
		return;
	link[n] = '\0';
	if (str_eq(link, DEVICE_LINK) || strstr(link, DEVICE_NODE) != NULL)
		seen->device = true;
	if (!may_be_group(link) || statx(dir, name, AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0
	    || !S_ISCHR(st.stx_mode) || st.stx_rdev_major != major(group))
		return;
	if (st.stx_rdev_minor == minor(group))
		seen->group = true;
	else
		seen->other = true;
}

static bool has_group(const struct hostfs *fs, const char *pid, dev_t group)
{
	_cleanup_free_ char *path = str_printf("proc/%s/fd", pid);
	_cleanup_closedir_ DIR *d = path != NULL ? hostfs_opendir(fs->root, path) : NULL;
	struct seen seen = {0};
	const char *name;

	while (d != NULL && (name = hostfs_next(d)) != NULL)
		look_at(dirfd(d), name, group, &seen);
	// who has a device alone was passed it
	return seen.group || (seen.device && !seen.other);
}

void host_vfio_users(const struct hostfs *fs, int group, host_vfio_user_fn fn, void *arg)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, "proc");
	const char *name;
	struct err unused;
	dev_t rdev;

	if (host_vfio_group(fs, group, &rdev, &unused) < 0)
		return;
	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		if (strspn(name, "0123456789") == strlen(name) && has_group(fs, name, rdev))
			fn(atoi(name), arg);
	}
}

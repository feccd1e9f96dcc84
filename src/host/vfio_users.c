// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which processes have a VFIO group open, to name them.

#include "base/str.h"
#include "host/descriptors.h"
#include "host/hostfs.h"
#include "host/vfio.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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

struct search {
	dev_t group;
	host_vfio_user_fn fn;
	void *arg;
};

static int look(int pid, DIR *links, void *arg)
{
	const struct search *s = arg;
	struct seen seen = {0};
	const char *name;

	while ((name = hostfs_next(links)) != NULL)
		look_at(dirfd(links), name, s->group, &seen);
	// who has a device alone was passed it
	if (seen.group || (seen.device && !seen.other))
		s->fn(pid, s->arg);
	return 0;
}

void host_vfio_users(const struct hostfs *fs, int group, host_vfio_user_fn fn, void *arg)
{
	struct search s = {.fn = fn, .arg = arg};
	struct err unused;

	if (host_vfio_group(fs, group, &s.group, &unused) == 0)
		host_each_descriptors(fs, look, &s, &unused);
}

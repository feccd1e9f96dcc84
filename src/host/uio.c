// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/uio.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEVICES "sys/bus/pci/devices"
#define FILES 13

const char *const host_uio_files[FILES + 1] = {
	"config",
	"resource0",
	"resource1",
	"resource2",
	"resource3",
	"resource4",
	"resource5",
	"resource0_wc",
	"resource1_wc",
	"resource2_wc",
	"resource3_wc",
	"resource4_wc",
	"resource5_wc",
	NULL,
};

mode_t host_uio_mode(const char *file)
{
	return str_eq(file, "config") ? 0644 : 0600;
}

int host_uio_find(const struct hostfs *fs, const char *bdf, struct host_uio *ret, struct err *err)
{
	_cleanup_free_ char *path = str_printf(DEVICES "/%s/uio", bdf);
	_cleanup_closedir_ DIR *d = path != NULL ? hostfs_opendir(fs->root, path) : NULL;
	struct host_uio u = {0};
	char file[80], line[32];
	unsigned maj, min;
	const char *name;

	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		if (!str_starts(name, "uio") || strlen(name) >= sizeof(u.name))
			continue;
		strcpy(u.name, name);
		snprintf(file, sizeof(file), "%s/dev", name);
		if (hostfs_line(dirfd(d), file, line, sizeof(line)) < 0
		    || sscanf(line, "%u:%u", &maj, &min) != 2)
			break;
		u.rdev = makedev(maj, min);
		*ret = u;
		return 0;
	}
	return err_set(
		err,
		ENODEV,
		"find the device of NIC %s in '/%s'; bind it again: pinfold nic bind",
		bdf,
		path != NULL ? path : ""
	);
}

// ---- who has it

struct wanted {
	dev_t node;
	unsigned n;
	struct {
		dev_t dev;
		ino_t ino;
	} files[FILES];
};

static void look_for(const struct hostfs *fs, const char *bdf, struct wanted *ret)
{
	struct host_uio u = {0};
	struct err unused;

	*ret = (struct wanted){0};
	if (host_uio_find(fs, bdf, &u, &unused) == 0)
		ret->node = u.rdev;
	for (unsigned i = 0; host_uio_files[i] != NULL; i++) {
		_cleanup_free_ char *path = str_printf(DEVICES "/%s/%s", bdf, host_uio_files[i]);
		_cleanup_close_ int fd = path != NULL ? fs_open_in(fs->root, path, O_PATH, 0) : -1;
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		ret->files[ret->n].dev = st.st_dev;
		ret->files[ret->n++].ino = st.st_ino;
	}
}

static bool is_file(const struct wanted *w, dev_t dev, ino_t ino)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (w->files[i].dev == dev && w->files[i].ino == ino)
			return true;
	}
	return false;
}

// What the link says of them; in a container that has ended, whose mounts are gone, no more than "/".
static bool may_be(const char *link)
{
	return str_eq(link, "/") || strstr(link, "/uio") != NULL || strstr(link, "/config") != NULL
	       || strstr(link, "/resource") != NULL;
}

// Nothing is asked of a file system, which may be one that does not answer.
static bool has_open(const struct hostfs *fs, const char *pid, const struct wanted *w)
{
	_cleanup_free_ char *path = str_printf("proc/%s/fd", pid);
	_cleanup_closedir_ DIR *d = path != NULL ? hostfs_opendir(fs->root, path) : NULL;
	char link[PATH_MAX];
	const char *name;
	struct statx st;

	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		ssize_t n = readlinkat(dirfd(d), name, link, sizeof(link) - 1);

		if (n < 0)
			continue;
		link[n] = '\0';
		if (!may_be(link)
		    || statx(dirfd(d), name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &st) < 0)
			continue;
		if (S_ISCHR(st.stx_mode) && w->node != 0
		    && makedev(st.stx_rdev_major, st.stx_rdev_minor) == w->node)
			return true;
		if (is_file(w, makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino))
			return true;
	}
	return false;
}

void host_uio_users(const struct hostfs *fs, const char *bdf, host_vfio_user_fn fn, void *arg)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, "proc");
	struct wanted w;
	const char *name;

	look_for(fs, bdf, &w);
	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		if (strspn(name, "0123456789") == strlen(name) && has_open(fs, name, &w))
			fn(atoi(name), arg);
	}
}

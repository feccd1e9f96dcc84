// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/uio.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/descriptors.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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

static int find(const struct hostfs *fs, const char *path, struct host_uio *ret)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, path);
	struct host_uio u = {0};
	char file[80], line[32];
	unsigned maj, min;
	const char *name;
	int r;

	if (d == NULL)
		return -errno;
	while ((name = hostfs_next(d)) != NULL) {
		if (!str_starts(name, "uio") || strlen(name) >= sizeof(u.name))
			continue;
		strcpy(u.name, name);
		snprintf(file, sizeof(file), "%s/dev", name);
		r = hostfs_line(dirfd(d), file, line, sizeof(line));
		if (r < 0 || sscanf(line, "%u:%u", &maj, &min) != 2)
			return r < 0 ? r : -EINVAL;
		u.rdev = makedev(maj, min);
		*ret = u;
		return 0;
	}
	return errno != 0 ? -errno : -ENOENT;
}

int host_uio_find(const struct hostfs *fs, const char *bdf, struct host_uio *ret, struct err *err)
{
	_cleanup_free_ char *path = str_printf(DEVICES "/%s/uio", bdf);
	int r;

	if (path == NULL)
		return err_oom(err);
	r = find(fs, path, ret);
	if (r == -ENOENT || r == -ENODEV)
		return err_set(
			err,
			ENODEV,
			"find the device of NIC %s in '/%s'; bind it again: pinfold nic bind",
			bdf,
			path
		);
	return r < 0 ? err_sys(err, -r, "find the device of NIC %s in '/%s'", bdf, path) : 0;
}

// ---- who has it

// The ledger is locked meanwhile, and anybody may have open what the machine has of files.
#define LOOK_MILLISECONDS 5000

struct wanted {
	dev_t node;
	unsigned n;
	struct {
		dev_t dev;
		ino_t ino;
	} files[FILES];
	int told; // of this process last
	bool enough;
};

struct search {
	struct wanted *wanted;
	unsigned n, left;
	host_uio_user_fn fn;
	void *arg;
	int64_t until;
	bool late;
};

// What is not there, as where it has been unplugged, nobody can have.
static int look_for(const struct hostfs *fs, const char *bdf, struct wanted *ret, struct err *err)
{
	_cleanup_free_ char *path = str_printf(DEVICES "/%s", bdf);
	_cleanup_close_ int dir = path != NULL ? hostfs_dir(fs->root, path) : -ENOMEM;
	struct host_uio u = {0};
	struct stat st;

	*ret = (struct wanted){0};
	if (dir == -ENOENT || dir == -ENODEV)
		return 0;
	if (dir < 0)
		return err_sys(err, -dir, "see who has NIC %s", bdf);
	if (host_uio_find(fs, bdf, &u, err) == 0)
		ret->node = u.rdev;
	else if (err->code != ENODEV)
		return -err->code;
	for (unsigned i = 0; host_uio_files[i] != NULL; i++) {
		if (fstatat(dir, host_uio_files[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT || errno == ENODEV)
				continue;
			return err_sys(
				err, errno, "see who has '%s' of NIC %s", host_uio_files[i], bdf
			);
		}
		ret->files[ret->n].dev = st.st_dev;
		ret->files[ret->n++].ino = st.st_ino;
	}
	return 0;
}

static bool is_wanted(const struct wanted *w, const struct statx *st)
{
	dev_t dev = makedev(st->stx_dev_major, st->stx_dev_minor);

	if (S_ISCHR(st->stx_mode) && w->node != 0
	    && makedev(st->stx_rdev_major, st->stx_rdev_minor) == w->node)
		return true;
	for (unsigned i = 0; i < w->n; i++) {
		if (w->files[i].dev == dev && w->files[i].ino == st->stx_ino)
			return true;
	}
	return false;
}

// What the link says of them; in a container that has ended, whose mounts are gone, no more than "/". One that is too
// long to be told may be any. -errno: it cannot be looked at.
static int may_be(int dir, const char *name)
{
	char link[PATH_MAX];
	ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);

	if (n < 0)
		return errno == ENAMETOOLONG ? 1 : errno == ENOENT ? 0 : -errno;
	link[n] = '\0';
	return str_eq(link, "/") || strstr(link, "/uio") != NULL || strstr(link, "/config") != NULL
	       || strstr(link, "/resource") != NULL || strstr(link, "/uverbs") != NULL;
}

static void tell(struct search *s, int pid, const struct statx *st)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct wanted *w = &s->wanted[i];

		if (w->enough || w->told == pid || !is_wanted(w, st))
			continue;
		w->told = pid;
		w->enough = s->fn(i, pid, s->arg);
		if (w->enough)
			s->left--;
	}
}

// Nothing is asked of a file system, which may be one that does not answer. What fails even so is not sysfs, nor a node.
static int look(int pid, DIR *links, void *arg)
{
	struct search *s = arg;
	const char *name;
	struct statx st;

	while ((name = hostfs_next(links)) != NULL) {
		int r = may_be(dirfd(links), name);

		if (r < 0)
			return r;
		if (r > 0
		    && statx(dirfd(links), name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &st)
			       == 0)
			tell(s, pid, &st);
		s->late = clock_ms() > s->until;
		if (s->left == 0 || s->late)
			return 1;
	}
	return -errno;
}

static int find_users(const struct hostfs *fs, struct search *s, struct err *err)
{
	s->left = s->n;
	s->until = clock_ms() + LOOK_MILLISECONDS;
	if (s->n > 0 && host_each_descriptors(fs, look, s, err) < 0)
		return -err->code;
	return s->late && s->left > 0;
}

int host_uio_users(
	const struct hostfs *fs,
	const char *const *bdfs,
	unsigned n,
	host_uio_user_fn fn,
	void *arg,
	struct err *err
)
{
	_cleanup_free_ struct wanted *wanted = calloc(n + 1, sizeof(*wanted));
	struct search s = {.wanted = wanted, .n = n, .fn = fn, .arg = arg};

	if (wanted == NULL)
		return err_oom(err);
	for (unsigned i = 0; i < n; i++) {
		if (look_for(fs, bdfs[i], &wanted[i], err) < 0)
			return -err->code;
	}
	return find_users(fs, &s, err);
}

int host_uverbs_users(
	const struct hostfs *fs, dev_t node, host_uio_user_fn fn, void *arg, struct err *err
)
{
	struct wanted wanted = {.node = node};
	struct search s = {.wanted = &wanted, .n = 1, .fn = fn, .arg = arg};

	return find_users(fs, &s, err);
}

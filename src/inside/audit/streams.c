// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a container has in common with who started it, and with a peer: its streams, and directories of links.

#include "base/scope.h"
#include "base/str.h"
#include "inside/audit/audit.h"
#include "inside/files.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define LINKS "/run/pinfold/links"
#define LINK_BYTES (UINT64_C(1) << 20)
#define LINK_FILES 256
#define LINK_FLAGS (ST_NOSUID | ST_NODEV | ST_NOEXEC)

#define NULL_DEVICE makedev(1, 3)
#define PTS_MAJOR 136 // to 143

// What somebody has it as besides, who may have more in it than what passes through. NULL: nothing.
static const char *foreign(int fd)
{
	struct stat st, pts;
	struct statfs fs;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (S_ISFIFO(st.st_mode))
		return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC ? NULL : "a FIFO";
	if (S_ISCHR(st.st_mode) && st.st_rdev == NULL_DEVICE)
		return NULL;
	if (S_ISCHR(st.st_mode) && major(st.st_rdev) >= PTS_MAJOR
	    && major(st.st_rdev) < PTS_MAJOR + 8)
		return stat("/dev/pts", &pts) == 0 && pts.st_dev == st.st_dev
			       ? NULL
			       : "a terminal of another place";
	// what there is to read where there is no input
	if (S_ISREG(st.st_mode) && st.st_nlink == 0 && st.st_size == 0)
		return NULL;
	return S_ISREG(st.st_mode) ? "a file" : S_ISSOCK(st.st_mode) ? "a socket" : "a device";
}

static void streams(const struct audit *, struct finding *f)
{
	for (int fd = 0; fd < 3; fd++) {
		const char *what = foreign(fd);

		if (what != NULL)
			fail(f, "descriptor %d is %s of who started it", fd, what);
	}
	if (f->verdict == AUDIT_NONE)
		pass(f, "pipes, nothing or a terminal of its own");
}

static void links(const struct audit *, struct finding *f)
{
	_cleanup_names_ struct names all = names_of_dir(LINKS, "");

	for (size_t i = 0; i < all.n; i++) {
		char path[512];
		struct statvfs v;
		struct statfs fs;

		snprintf(path, sizeof(path), LINKS "/%s", all.v[i]);
		if (statfs(path, &fs) < 0 || statvfs(path, &v) < 0)
			fail(f, "%s: %s", all.v[i], strerror(errno));
		else if (fs.f_type != TMPFS_MAGIC || v.f_blocks == 0 || v.f_files == 0 || v.f_blocks * v.f_frsize > LINK_BYTES || v.f_files > LINK_FILES)
			fail(f, "%s is no file system of 1 MiB and 256 files", all.v[i]);
		else if ((v.f_flag & LINK_FLAGS) != LINK_FLAGS)
			fail(f, "%s is not nosuid, nodev and noexec", all.v[i]);
	}
	if (f->verdict == AUDIT_NONE)
		pass(f, "%zu links", all.n);
}

const struct property audit_streams[] = {
	{"streams", "look whose its standard streams are", streams},
	{"link-room", "look what the directory of each link takes", links},
	{0},
};

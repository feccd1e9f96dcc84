// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A process that waits for a FUSE server which has read its request cannot be killed (request_wait_answer in Linux'
// fs/fuse/dev.c): it waits as long as whoever runs the server likes. The kernel lets root abort a connection, in a file
// system of its own (Documentation/filesystems/fuse.rst), which need not be mounted for that.

#include "apply/apply.h"
#include "base/clock.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define LOOKS 20 // at one connection
#define LOOK_MILLISECONDS 10
#define ALL_MILLISECONDS 2000

static DIR *open_connections(void)
{
	_cleanup_close_ int fs = fsopen("fusectl", FSOPEN_CLOEXEC), root = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return NULL;
	root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return root >= 0 ? dir_open(root, ".", 0) : NULL;
}

static bool waits(int connection)
{
	uint64_t n;

	return hostfs_u64(connection, "waiting", &n) == 0 && n > 0;
}

// Of one that answers, however slowly, at some moment none is seen, unless others keep
// coming all the time.
static bool answers_nothing(int connection)
{
	for (int i = 0; i < LOOKS; i++) {
		if (!waits(connection))
			return false;
		nap_ms(LOOK_MILLISECONDS);
	}
	return true;
}

unsigned fuse_abort(uid_t owner)
{
	_cleanup_closedir_ DIR *d = open_connections();
	const int64_t limit = clock_ms() + ALL_MILLISECONDS;
	struct dirent *e;
	unsigned n = 0;

	while ((e = dir_next(d)) != NULL) {
		_cleanup_close_ int dir =
			openat(dirfd(d), e->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		struct stat st;
		struct err unused;

		// an owner can have many: the ledger is locked
		if (dir >= 0 && fstat(dir, &st) == 0 && st.st_uid == owner
		    && (clock_ms() < limit ? answers_nothing(dir) : waits(dir))
		    && fs_write_control(dir, "abort", "1", &unused) == 0)
			n++;
	}
	return n;
}

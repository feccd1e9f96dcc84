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
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define LOOKS 20 // at all of them
#define LOOK_MILLISECONDS 10
#define CONNECTIONS 16384 // in one call: the ledger is locked, and an owner can have many
#define NUMBER 16

static DIR *open_connections(void)
{
	_cleanup_close_ int fs = fsopen("fusectl", FSOPEN_CLOEXEC), root = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return NULL;
	root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return root >= 0 ? dir_open(root, ".", 0) : NULL;
}

// The directory of a connection, if it is the owner's and has requests without an answer; else -1.
static int open_waiting(DIR *d, const char *name, uid_t owner)
{
	_cleanup_close_ int dir = openat(dirfd(d), name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	uint64_t n;

	if (dir < 0 || fstat(dir, &st) < 0 || st.st_uid != owner
	    || hostfs_u64(dir, "waiting", &n) < 0 || n == 0)
		return -1;
	return steal_fd(&dir);
}

unsigned fuse_abort(uid_t owner)
{
	static char names[CONNECTIONS][NUMBER];
	_cleanup_closedir_ DIR *d = open_connections();
	unsigned n = 0, left;
	struct dirent *e;
	struct err unused;

	while (n < CONNECTIONS && (e = dir_next(d)) != NULL) {
		_cleanup_close_ int dir = open_waiting(d, e->d_name, owner);

		if (dir >= 0)
			snprintf(names[n++], NUMBER, "%.*s", NUMBER - 1, e->d_name);
	}
	// of one that answers, however slowly, at some moment none is seen, unless others keep coming all the time
	for (unsigned look = 2; look <= LOOKS && n > 0; look++, n = left) {
		nap_ms(LOOK_MILLISECONDS);
		left = 0;
		for (unsigned i = 0; i < n; i++) {
			_cleanup_close_ int dir = open_waiting(d, names[i], owner);

			if (dir >= 0
			    && (look < LOOKS || fs_write_control(dir, "abort", "1", &unused) == 0))
				memmove(names[left++], names[i], NUMBER);
		}
	}
	return n;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/descriptors.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct walk {
	const struct hostfs *fs;
	host_descriptors_fn fn;
	void *arg;
	struct err first;
};

static bool ended(int code)
{
	return code == ENOENT || code == ESRCH;
}

static void note(struct walk *w, int code, const char *path)
{
	if (w->first.code == 0 && !ended(code))
		err_sys(&w->first, code, "see which files are open in '/%s'", path);
}

static int look_at(struct walk *w, int pid, const char *path)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(w->fs->root, path);
	int r = d != NULL ? w->fn(pid, d, w->arg) : -errno;

	if (r < 0)
		note(w, -r, path);
	return r > 0;
}

// Where the kernel does not tell, and of a copy of a machine, no two do.
static bool share(const struct walk *w, int pid, int other)
{
	return w->fs->real && syscall(SYS_kcmp, pid, other, KCMP_FILES, 0, 0) == 0;
}

// A process is shown as its first thread, which may have ended before the others.
static int look_at_threads(struct walk *w, int pid)
{
	char path[64];
	_cleanup_closedir_ DIR *d = NULL;
	const char *name;
	int seen = pid, r = 0;
	struct stat st;

	snprintf(path, sizeof(path), "proc/%d/task", pid);
	// that directory has one link for each, beside the two of every directory
	if (w->fs->real && fstatat(w->fs->root, path, &st, 0) == 0 && st.st_nlink == 3)
		return 0;
	d = hostfs_opendir(w->fs->root, path);
	if (d == NULL)
		note(w, errno, path);
	while (d != NULL && r == 0 && (name = hostfs_next(d)) != NULL) {
		int thread = atoi(name);

		if (thread == pid || share(w, pid, thread) || share(w, seen, thread))
			continue;
		seen = thread;
		snprintf(path, sizeof(path), "proc/%d/task/%d/fd", pid, thread);
		r = look_at(w, pid, path);
	}
	return r;
}

int host_each_descriptors(
	const struct hostfs *fs, host_descriptors_fn fn, void *arg, struct err *err
)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, "proc");
	struct walk w = {.fs = fs, .fn = fn, .arg = arg};
	const char *name;
	char path[32];
	int r = 0;

	if (d == NULL)
		return err_sys(err, errno, "see which processes there are in '/proc'");
	while (r == 0 && (name = hostfs_next(d)) != NULL) {
		int pid = atoi(name);

		if (strspn(name, "0123456789") != strlen(name))
			continue;
		snprintf(path, sizeof(path), "proc/%d/fd", pid);
		r = look_at(&w, pid, path);
		if (r == 0)
			r = look_at_threads(&w, pid);
	}
	if (r > 0 || w.first.code == 0)
		return 0;
	*err = w.first;
	return -err->code;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Into the mount namespace that a workload was started in, where what pinfold made for it lies at FENCE_DIR.

#include "apply/apply.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/cgroup.h"
#include "host/mounts.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

// Where the workload's own processes are looked through for one that is still there.
struct entrance {
	struct stat here, user; // the mount namespace of this process, and its user namespace
	int mounts;
};

// As the kernel tells it: no path is walked below the root of a process, which may be where nobody answers.
static bool sees_fence(int pid)
{
	_cleanup_free_ char *path = str_printf("/proc/%d/mounts", pid), *text = NULL;
	struct mount_line m;

	if (path == NULL || fs_read_file(path, MOUNTS_MAX, &text, NULL) < 0)
		return false;
	str_foreach (line, text, "\n") {
		if (mount_parse(line, &m) && str_eq(m.where, FENCE_DIR) && str_eq(m.type, "tmpfs"))
			return true;
	}
	return false;
}

// In another mount namespace, of this user namespace, with what pinfold made there. A process that is not root makes one in
// a user namespace of its own: what lies in there is what it likes. What is tried is what is entered: kept open.
static bool is_started_in(int pid, int process, void *arg)
{
	struct entrance *e = arg;
	_cleanup_close_ int mounts = -1, user = -1;
	char path[32];
	struct stat st;

	(void)process; // cgroup_open_process looks whether it was this one's
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	mounts = open(path, O_RDONLY | O_CLOEXEC);
	if (mounts < 0 || fstat(mounts, &st) < 0 || st.st_ino == e->here.st_ino)
		return false;
	user = ioctl(mounts, NS_GET_USERNS);
	if (user < 0 || fstat(user, &st) < 0 || st.st_dev != e->user.st_dev
	    || st.st_ino != e->user.st_ino)
		return false;
	if (!sees_fence(pid))
		return false;
	scope_close(&e->mounts); // of one that was not to be had
	e->mounts = steal_fd(&mounts);
	return true;
}

int enter_open(const struct hostfs *fs, const struct lease *lease)
{
	const bool container = site_has(&lease->site, SITE_CONTAINER);
	_cleanup_free_ char *dir =
		str_printf("%s%s", lease->cgroup, container ? "/" CGROUP_RUNTIME : "");
	struct entrance e = {.mounts = -1};
	int process;

	if (dir == NULL)
		return -ENOMEM;
	if (stat("/proc/self/ns/mnt", &e.here) < 0 || stat("/proc/self/ns/user", &e.user) < 0)
		return -errno;
	// those that work beside a container are in its runtime's cgroup too
	process = cgroup_open_process(fs, dir, !container, is_started_in, &e);
	if (process < 0) {
		scope_close(&e.mounts);
		return process;
	}
	close(process);
	return e.mounts;
}

int enter_fence(const struct lease *lease, int mounts, struct err *err)
{
	_cleanup_close_ int fd = mounts;
	struct stat root, now;

	if (fd == -ESRCH)
		return err_set(
			err,
			ESRCH,
			"it has no process any more where pinfold started it; stop '%s', and start "
			"it again",
			lease->grant.name
		);
	if (fd < 0)
		return err_sys(err, -fd, "look for its processes");
	if (stat("/", &root) < 0)
		return err_sys(err, errno, "look at '/'");
	if (setns(fd, CLONE_NEWNS) < 0)
		return err_sys(err, errno, "enter its mount namespace");
	// a runtime that is about to start another program may have a root of its own by now: nothing of it is used as
	// root, whatever it has at the places of pinfold's
	if (stat("/", &now) < 0 || now.st_dev != root.st_dev || now.st_ino != root.st_ino
	    || lstat(FENCE_DIR "/own", &now) < 0 || !S_ISDIR(now.st_mode))
		return err_set(err, EAGAIN, "another program is being started in it; try again");
	return 0;
}

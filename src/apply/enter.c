// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Into the mount namespace that a workload was started in, where what pinfold made for it lies at FENCE_DIR.

#include "apply/apply.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/cgroup.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

// A process in another mount namespace, with what pinfold made there: the runtime. Those that work beside it are in
// its cgroup too.
static bool is_runtime(int pid, void *arg)
{
	const ino_t *here = arg;
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat(path, &st) < 0 || st.st_ino == *here)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/root" FENCE_DIR "/own", pid);
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int enter_open(const struct hostfs *fs, const struct lease *lease)
{
	_cleanup_free_ char *runtime = str_printf("%s/" CGROUP_RUNTIME, lease->cgroup);
	struct stat st;

	if (!site_has(&lease->site, SITE_CONTAINER))
		return cgroup_open_process(fs, lease->cgroup, true, NULL, NULL);
	if (runtime == NULL)
		return -ENOMEM;
	if (stat("/proc/self/ns/mnt", &st) < 0)
		return -errno;
	return cgroup_open_process(fs, runtime, false, is_runtime, &st.st_ino);
}

int enter_fence(const struct lease *lease, int process, struct err *err)
{
	_cleanup_close_ int fd = process; // a pidfd: not whoever has its number by now
	struct stat root, now;

	if (fd == -ESRCH)
		return err_set(err, ESRCH, "it has no process any more");
	if (fd < 0)
		return err_sys(err, -fd, "look for its processes");
	if (stat("/", &root) < 0)
		return err_sys(err, errno, "look at '/'");
	if (setns(fd, CLONE_NEWNS) < 0)
		return err_sys(err, errno, "enter its mount namespace");
	// a runtime that is about to start another program is in that cgroup too, and may be in the container by now:
	// nothing of it is used as root, whatever it has at the places of pinfold's
	if (site_has(&lease->site, SITE_CONTAINER)
	    && (stat("/", &now) < 0 || now.st_dev != root.st_dev || now.st_ino != root.st_ino))
		return err_set(err, EAGAIN, "another program is being started in it; try again");
	return 0;
}

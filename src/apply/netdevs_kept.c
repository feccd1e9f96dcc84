// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A network namespace that goes takes its veth, macvlan and the like with it: that of a container is kept by a mount until
// they have left it, whoever dies.

#include "apply/netdevs.h"

#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

// Who has the mount namespace that they are kept in: the machine's first process, where everybody finds them, or where
// that may not be looked at pinfold itself. This process's own goes with the workload.
static pid_t whose_mounts(pid_t pinfold)
{
	return access("/proc/1/root/.", F_OK) == 0 ? 1 : pinfold;
}

// Done there by another process, since this one has to stay where it is. 0 or -errno.
static int do_there(pid_t pinfold, int (*fn)(int ns, const char *place), int ns, const char *place)
{
	_cleanup_close_ int mounts = -1;
	int status = 0;
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)whose_mounts(pinfold));
	mounts = open(path, O_RDONLY | O_CLOEXEC);
	pid = mounts < 0 ? -1 : fork();
	if (pid == 0)
		_exit(setns(mounts, CLONE_NEWNS) < 0 ? errno : -fn(ns, place));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int mount_there(int ns, const char *place)
{
	char from[32];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", ns);
	return mount(from, place, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

static int unmount_there(int, const char *place)
{
	return umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

int netdevs_keep(int dir, const char *path, const char *name, int ns, struct err *err)
{
	_cleanup_close_ int fd =
		openat(dir, name, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0400);
	_cleanup_free_ char *place = str_printf("%s/%s", path, name);
	int r;

	if (place == NULL)
		return err_oom(err);
	r = fd < 0 ? -errno : do_there(getppid(), mount_there, ns, place);
	return r < 0 ? err_sys(err, -r, "keep a network namespace at '%s'", place) : 0;
}

int netdevs_let_go(const char *path, const char *name, struct err *err)
{
	_cleanup_free_ char *place = str_printf("%s/%s", path, name);
	int r = place != NULL ? do_there(getpid(), unmount_there, -1, place) : -ENOMEM;

	// EINVAL: it is not kept
	if (r < 0 && r != -EINVAL && r != -ENOENT)
		return err_sys(err, -r, "unmount '%s/%s'", path, name);
	return 0;
}

int netdevs_open_kept(const char *path, const char *name)
{
	_cleanup_free_ char *place =
		str_printf("/proc/%d/root%s/%s", (int)whose_mounts(getpid()), path, name);
	_cleanup_close_ int fd =
		place != NULL ? open(place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	struct statfs st;

	if (fd < 0 || fstatfs(fd, &st) < 0 || st.f_type != NSFS_MAGIC)
		return -1;
	return steal_fd(&fd);
}

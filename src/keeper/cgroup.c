// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The workload's cgroup in the box (plan/cgroup.c): the control files through which a process of it moves
// itself there.
//
// The kernel asks for the rights of who opened such a file, so what the descriptor lets its holder do is
// decided here, wherever it goes: on v2, move what is in the box to the workload's cgroup; on v1, move what
// has the very id of the program, which nobody else has.
//
// The runtime would make the container's cgroup namespace where it is itself, and the container would see
// itself outside of it: the keeper makes one, in the workload's cgroup.

#include "base/scope.h"
#include "keeper/keeper.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PLACE_MIN 64 // above the descriptors that are put in order for a program

// With another effective id, and the capabilities of before: a change of ids takes them from use.
static int open_as(uint32_t uid, const char *path)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (syscall(SYS_capget, &head, caps) < 0 || setresuid((uid_t)-1, uid, (uid_t)-1) < 0)
		return -errno;
	if (syscall(SYS_capset, &head, caps) < 0 || (fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
		r = -errno;
	if (setresuid((uid_t)-1, 0, (uid_t)-1) < 0 || syscall(SYS_capset, &head, caps) < 0)
		r = -errno;
	return r < 0 ? r : fcntl(fd, F_DUPFD_CLOEXEC, PLACE_MIN);
}

static int open_files(
	const struct keeper *k,
	uint32_t uid,
	int ret[static SITE_JOINS],
	unsigned *ret_n,
	struct err *err
)
{
	char *files[SITE_JOINS];
	unsigned n = plan_work_files(&k->lease, &k->host, files);
	int r = 0;

	for (unsigned i = 0; i < n; i++) {
		ret[i] = files[i] != NULL ? open_as(uid, files[i]) : -ENOMEM;
		if (ret[i] < 0 && r == 0)
			r = err_sys(err, -ret[i], "open '%s'", files[i] != NULL ? files[i] : "");
		free(files[i]);
	}
	*ret_n = n;
	return r;
}

// In a process that shares its descriptors with the keeper. Returns one of them.
static int part_namespace(const struct keeper *k, struct err *err)
{
	int joins[SITE_JOINS], fd;
	unsigned n;

	// by its own id
	if (open_files(k, 0, joins, &n, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < n; i++) {
		if (write(joins[i], "0", 1) != 1)
			return err_sys(err, errno, "enter the workload's cgroup");
		close(joins[i]);
	}
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, errno, "make a cgroup namespace");
	fd = open("/proc/self/ns/cgroup", O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : err_sys(err, errno, "open a cgroup namespace");
}

int keeper_make_cgroup_ns(struct keeper *k, struct err *err)
{
	struct err *theirs = mmap(
		NULL, sizeof(*theirs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0
	);
	int status = 0;
	pid_t pid;

	if (theirs == MAP_FAILED)
		return err_oom(err);
	// who has entered the workload's cgroup does not come back: that is for another process
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (pid == 0) {
		int fd = part_namespace(k, theirs);

		_exit(fd >= 0 ? fd : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		err_sys(err, errno, "start a process");
	else if (!WIFEXITED(status))
		err_set(err, EIO, "make a cgroup namespace: the process was killed");
	else if (WEXITSTATUS(status) == 0)
		*err = *theirs;
	else
		k->cgroup_ns = WEXITSTATUS(status);
	munmap(theirs, sizeof(*theirs));
	return k->cgroup_ns >= 0 ? 0 : -err->code;
}

int keeper_open_work(const struct keeper *k, uint32_t uid, struct site *site, struct err *err)
{
	if (open_files(k, PEN_RANGE_FIRST + uid, site->joins, &site->njoins, err) < 0)
		return -err->code;
	return setns(k->cgroup_ns, CLONE_NEWCGROUP) == 0
		       ? 0
		       : err_sys(err, errno, "enter the cgroup namespace");
}

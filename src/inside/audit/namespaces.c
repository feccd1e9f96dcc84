// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Namespaces: whether there are own ones, and whether others can be made or entered, which is how
// mounts are changed.

#include "inside/audit/namespaces.h"

#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/child.h"
#include "inside/files.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SECONDS 3

static const struct kind {
	const char *name;
	int flag;
	ino_t first; // inode of the first one, fixed in the kernel (include/linux/proc_ns.h); 0: not
} kinds[] = {
	{"cgroup", CLONE_NEWCGROUP, 0xeffffffb},
	{"ipc", CLONE_NEWIPC, 0xefffffff},
	{"mnt", CLONE_NEWNS, 0xeffffff8},  // since Linux 6.17
	{"net", CLONE_NEWNET, 0xeffffff9}, // since Linux 6.17
	{"pid", CLONE_NEWPID, 0xeffffffc},
	{"user", CLONE_NEWUSER, 0xeffffffd},
	{"uts", CLONE_NEWUTS, 0xeffffffe},
	{"time", CLONE_NEWTIME, 0}, // no way out of a container
};

bool first_namespace(const char *kind)
{
	char path[64];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!str_eq(kinds[i].name, kind) || kinds[i].first == 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
		return stat(path, &st) == 0 && st.st_ino == kinds[i].first;
	}
	return false;
}

static void own(const struct audit *, struct finding *f)
{
	_cleanup_names_ struct names shared = {0};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (first_namespace(kinds[i].name))
			names_add(&shared, kinds[i].name);
	if (shared.n > 0)
		fail(f, "shared with the host: %s", name_list(&shared, 8));
	else
		pass(f, "none is the host's");
}

// ---- making and entering

// A call with one number in a child of its own; result: errno, 0 when it was let through.
struct call {
	long (*fn)(int);
	int arg;
};

static void call(const void *arg, void *result)
{
	const struct call *c = arg;

	*(int *)result = c->fn(c->arg) < 0 ? errno : 0;
}

// errno, 0, or that of a refusal when a filter ends the caller.
static int ask(long (*fn)(int), int arg)
{
	struct call c = {fn, arg};
	int error = 0, r = child_run(call, &c, &error, sizeof(error), SECONDS);

	return r == 0 ? error : r == SIGSYS ? EPERM : r > 0 ? EINTR : -r;
}

static long do_unshare(int flag)
{
	return unshare(flag);
}

static long do_clone(int flag)
{
	long pid = syscall(SYS_clone, (unsigned long)(flag | SIGCHLD), 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static long do_clone3(int flag)
{
	struct clone_args args = {.flags = (unsigned)flag, .exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static void make(const struct audit *, struct finding *f)
{
	static const struct {
		const char *name;
		long (*fn)(int);
	} ways[] = {{"unshare", do_unshare}, {"clone", do_clone}, {"clone3", do_clone3}};
	_cleanup_names_ struct names made = {0};
	char text[400];
	int why = 0;

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
			int r = ask(ways[w].fn, kinds[i].flag);

			snprintf(text, sizeof(text), "%s %s", ways[w].name, kinds[i].name);
			if (r == 0)
				names_add(&made, text);
			else if (why == 0)
				why = r;
		}
	}
	if (made.n > 0)
		fail(f, "made: %s", name_list(&made, 8));
	else
		pass(f, "none could be made: %s", strerrorname_np(why) ?: "?");
}

static long enter(int fd)
{
	return setns(fd, 0);
}

static void join(const struct audit *, struct finding *f)
{
	_cleanup_names_ struct names entered = {0};
	char text[200];
	int why = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		// its own is as good: what is asked for is the permission
		const char *const processes[] = {"1", "self"};

		for (size_t p = 0; p < ARRAY_LEN(processes); p++) {
			_cleanup_close_ int fd = -1;
			int r;

			snprintf(text, sizeof(text), "/proc/%s/ns/%s", processes[p], kinds[i].name);
			fd = open(text, O_RDONLY | O_CLOEXEC);
			r = fd >= 0 ? ask(enter, fd) : errno;
			if (r == 0) {
				names_add(&entered, kinds[i].name);
				break;
			}
			why = r;
		}
	}
	if (entered.n > 0)
		fail(f, "entered: %s", name_list(&entered, 8));
	else
		pass(f, "none could be entered: %s", strerrorname_np(why) ?: "?");
}

// ---- mounts

static const char *const writable[] = {"/tmp", "/run", "/dev/shm", "/var/tmp", "/"};

// Mounts on `dir`, in a namespace of this process where it may have one. What is let through goes with
// the process, or is unmounted.
static void mount_on(const void *arg, void *result)
{
	const char *dir = arg;
	int *error = result;

	unshare(CLONE_NEWNS);
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (mount("pinfold-audit", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=4096") == 0) {
		umount2(dir, MNT_DETACH);
		return;
	}
	*error = errno;
	if (mount("/proc", dir, NULL, MS_BIND, NULL) == 0) {
		umount2(dir, MNT_DETACH);
		*error = 0;
	}
}

static long new_mount(int)
{
	return syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
}

static long clone_mount(int)
{
	return syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

// Asks for what the root has already, where it is read-only.
static long remount(int)
{
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
}

static void mounts(const struct audit *, struct finding *f)
{
	char dir[64] = "";
	int error = EROFS, r;

	for (size_t i = 0; i < ARRAY_LEN(writable); i++) {
		snprintf(dir, sizeof(dir), "%s/.pinfold-audit-XXXXXX", writable[i]);
		if (mkdtemp(dir) == NULL)
			continue;
		r = child_run(mount_on, dir, &error, sizeof(error), SECONDS);
		error = r == SIGSYS ? EPERM : r != 0 ? EINTR : error;
		rmdir(dir);
		break;
	}
	if (error == 0)
		fail(f, "mounted a file system");
	r = ask(new_mount, 0);
	if (r == 0)
		fail(f, "opened a new tmpfs");
	else if (error != 0)
		error = r;
	if (ask(clone_mount, 0) == 0)
		fail(f, "cloned the root's mount");
	if (f->verdict == AUDIT_NONE)
		pass(f, "nothing could be mounted: %s", strerrorname_np(error) ?: "?");
}

static void root_mount(const struct audit *, struct finding *f)
{
	int r = 0;

	// With the permission a root that can be written would change: then there is nothing to ask.
	if (access("/", W_OK) == 0)
		fail(f, "the root can be written as it is");
	else if ((r = ask(remount, 0)) == 0)
		fail(f, "the root's mount was changed");
	else
		pass(f, "refused: %s", strerrorname_np(r) ?: "?");
}

const struct property audit_namespaces[] = {
	{"ns-own", "compare its namespaces with the machine's first ones", own},
	{"ns-make", "make a namespace of each kind with unshare, clone and clone3", make},
	{"ns-enter", "enter a namespace of each kind with setns", join},
	{"mount", "mount a tmpfs, bind /proc, use the calls of the new mount API", mounts},
	{"mount-root", "remount the root", root_mount},
	{0},
};

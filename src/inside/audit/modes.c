// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Files whose program would run as their owner or group: left in a volume, they outlive the container,
// and its ids may be another's then. What is tried here has no name, or loses it at once.

#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// Where programs may write in most containers.
static const char *const dirs[] = {"/tmp", "/dev/shm", "/run"};

static const mode_t bits[] = {S_ISUID, S_ISGID};

static int by_open(const char *dir, mode_t mode)
{
	return open(audit_path(dir), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

static int by_creat(const char *dir, mode_t mode)
{
	return creat(audit_path(dir), mode);
}

static int by_openat2(const char *dir, mode_t mode)
{
	struct open_how how = {.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, .mode = mode};

	return (int)syscall(SYS_openat2, AT_FDCWD, audit_path(dir), &how, sizeof(how));
}

static int by_tmpfile(const char *dir, mode_t mode)
{
	return open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
}

// The changes of a mode, on a file that is in memory alone.
static int by_change(mode_t mode, int (*change)(int fd, const char *path, mode_t mode))
{
	int fd = memfd_create("pinfold-audit", MFD_CLOEXEC);
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd >= 0)
		change(fd, path, mode);
	return fd;
}

static int do_chmod(int, const char *path, mode_t mode)
{
	return chmod(path, mode);
}

static int do_fchmod(int fd, const char *, mode_t mode)
{
	return fchmod(fd, mode);
}

static int do_fchmodat(int, const char *path, mode_t mode)
{
	return (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}

#define SYS_FCHMODAT2 452

static int do_fchmodat2(int, const char *path, mode_t mode)
{
	return (int)syscall(SYS_FCHMODAT2, AT_FDCWD, path, mode, 0);
}

static void set_id(const struct audit *, struct finding *f)
{
	static const struct {
		const char *name;
		int (*make)(const char *dir, mode_t mode);	      // a descriptor or -1
		int (*change)(int fd, const char *path, mode_t mode); // or this, on a file
	} ways[] = {
		{"open", by_open},
		{"creat", by_creat},
		{"openat2", by_openat2},
		{"O_TMPFILE", by_tmpfile},
		{"chmod", .change = do_chmod},
		{"fchmod", .change = do_fchmod},
		{"fchmodat", .change = do_fchmodat},
		{"fchmodat2", .change = do_fchmodat2},
	};
	_cleanup_names_ struct names made = {0};
	unsigned tried = 0;

	for (size_t i = 0; i < ARRAY_LEN(ways) * ARRAY_LEN(dirs) * ARRAY_LEN(bits); i++) {
		const char *dir = dirs[i / ARRAY_LEN(bits) % ARRAY_LEN(dirs)];
		size_t way = i / ARRAY_LEN(bits) / ARRAY_LEN(dirs);
		mode_t bit = bits[i % ARRAY_LEN(bits)];
		_cleanup_close_ int fd = ways[way].make != NULL
						 ? ways[way].make(dir, 0700 | bit)
						 : by_change(0700 | bit, ways[way].change);
		struct stat st;

		unlink(audit_path(dir));
		tried++;
		if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & bit) != 0)
			names_add_new(&made, ways[way].name);
	}
	if (made.n > 0)
		fail(f, "made by %s", name_list(&made, 8));
	else
		pass(f, "none in %u attempts", tried);
}

const struct property audit_modes[] = {
	{"mode-setid", "make a file that runs as its owner or group, by every call", set_id},
	{0},
};

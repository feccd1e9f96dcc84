// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Files of /sys and /proc through which the kernel, a driver or a device can be changed. They are
// opened for writing and not written.

#include "base/dir.h"
#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/files.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 200000 // a tree may be endless
#define DEPTH_MAX 16

#define SHOWN_MAX 64 // names that are kept of the files that can be opened

struct walk {
	const char *const *telling; // what in a path makes it worth telling before others
	size_t ntelling;
	struct names told, others; // that can be opened
	unsigned seen, reached;
};

// debugfs and tracefs act when a file is opened: there the permission has to do.
static bool acts_on_open(const char *path)
{
	return str_starts(path, "/sys/kernel/debug") || str_starts(path, "/sys/kernel/tracing");
}

static void try_file(struct walk *w, int dir, const char *name, const char *path)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	w->seen++;
	if (faccessat(dir, name, W_OK, AT_EACCESS) < 0)
		return;
	if (!acts_on_open(path)) {
		fd = openat(dir, name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
		// what is hidden has /dev/null over it
		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			return;
	}
	w->reached++;
	for (size_t i = 0; i < w->ntelling; i++) {
		if (strstr(path, w->telling[i]) != NULL && w->told.n < SHOWN_MAX) {
			names_add(&w->told, path);
			return;
		}
	}
	if (w->others.n < SHOWN_MAX)
		names_add(&w->others, path);
}

// Takes over the directory.
static void walk(struct walk *w, int fd, const char *path, unsigned depth)
{
	_cleanup_closedir_ DIR *d = dir_take(fd);
	struct dirent *e;

	while (w->seen < FILES_MAX && (e = dir_next(d)) != NULL) {
		bool top = str_eq(path, "/proc");
		char below[PATH_MAX];

		if (e->d_name[0] == '.' || (top && isdigit((unsigned char)e->d_name[0])))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		// cgroups are looked at elsewhere
		if (e->d_type == DT_DIR && depth > 1 && !str_eq(below, "/sys/fs/cgroup"))
			walk(w,
			     openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
			     below,
			     depth - 1);
		else if (e->d_type == DT_REG)
			try_file(w, fd, e->d_name, below);
	}
}

static void tree(const char *path, const char *const *telling, size_t n, struct finding *f)
{
	struct walk w = {.telling = telling, .ntelling = n};

	walk(&w, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path, DEPTH_MAX);
	for (size_t i = 0; i < w.others.n; i++)
		names_add(&w.told, w.others.v[i]);
	if (w.reached > 0)
		fail(f,
		     "%u of %u files can be written: %s",
		     w.reached,
		     w.seen,
		     name_list(&w.told, 4));
	else
		pass(f, "none of %u files", w.seen);
	names_done(&w.told);
	names_done(&w.others);
}

// The ones that everybody knows, by name: also where a directory cannot be listed.
static void named(const char *const *paths, size_t n, struct finding *f)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int fd =
			open(paths[i], O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			fail(f, "%s can be written", paths[i]);
	}
}

static void kernel(const struct audit *, struct finding *f)
{
	static const char *const known[] = {
		"/proc/sysrq-trigger",
		"/proc/sys/kernel/core_pattern",
		"/proc/sys/kernel/modprobe",
		"/proc/sys/vm/nr_hugepages",
		"/proc/sys/vm/drop_caches",
		"/proc/sys/fs/binfmt_misc/register",
		"/proc/irq/default_smp_affinity",
		"/proc/mtrr",
	};

	named(known, ARRAY_LEN(known), f);
	tree("/proc", NULL, 0, f);
}

static void devices(const struct audit *, struct finding *f)
{
	static const char *const known[] = {
		"/sys/bus/pci/rescan",
		"/sys/bus/pci/drivers_probe",
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
		"/sys/kernel/uevent_helper",
		"/sys/power/state",
		"/sys/devices/system/cpu/cpu1/online",
	};
	static const char *const telling[] = {"/bind", "/driver_override", "/new_id"};

	named(known, ARRAY_LEN(known), f);
	tree("/sys", telling, ARRAY_LEN(telling), f);
}

const struct property audit_writes[] = {
	{"proc-write", "open each file of /proc, but of processes, to write", kernel},
	{"sys-write", "open each file of /sys to write (bind, nr_hugepages, …)", devices},
	{0},
};

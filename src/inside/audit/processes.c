// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Processes outside, and the windows of /proc into the kernel.

#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/files.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define KERNEL_THREAD 0x00200000 // PF_KTHREAD of include/linux/sched.h

static void own_proc(const struct audit *, struct finding *f)
{
	char buf[32] = "";
	ssize_t n = readlink("/proc/self", buf, sizeof(buf) - 1);

	if (n <= 0 || strtol(buf, NULL, 10) != getpid())
		fail(f, "/proc is of another pid namespace");
	else
		pass(f, "/proc is its own");
}

static bool kernel_thread(const char *pid)
{
	char path[64], line[1024], *at;
	unsigned flags = 0;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	at = strrchr(line_of(path, line, sizeof(line)), ')');
	return at != NULL && sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1
	       && (flags & KERNEL_THREAD) != 0;
}

// In a cgroup namespace the paths of processes outside begin with "/..".
static bool other_cgroup(const char *pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%s/cgroup", pid);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strstr(line, ":/..") != NULL)
			return true;
	return false;
}

static void outside(const struct audit *, struct finding *f)
{
	_cleanup_names_ struct names all = names_of_dir("/proc", "");
	unsigned seen = 0, others = 0, reached = 0;

	for (size_t i = 0; i < all.n; i++) {
		if (!isdigit((unsigned char)all.v[i][0]))
			continue;
		seen++;
		if (!kernel_thread(all.v[i]) && !other_cgroup(all.v[i]))
			continue;
		others++;
		reached += kill((pid_t)strtol(all.v[i], NULL, 10), 0) == 0;
	}
	if (others > 0)
		fail(f, "%u of %u are from outside; signals reach %u", others, seen, reached);
	else
		pass(f, "%u processes, none from outside", seen);
}

// Windows for those who administer a machine.
static const struct window {
	const char *path;
	bool keep;	// only opened: reading takes something away, or is endless
	bool addresses; // zeros for those who may not see them
} windows[] = {
	{"/proc/kcore", true, false},
	{"/proc/kmsg", true, false},
	{"/dev/kmsg", true, false},
	{"/proc/kallsyms", false, true},
	{"/proc/iomem", false, true},
	{"/proc/vmallocinfo", false, false},
	{"/proc/kpageflags", false, false},
	{"/proc/slabinfo", false, false},
	{"/proc/pagetypeinfo", false, false},
	{"/proc/timer_list", false, false},
	{"/proc/sched_debug", false, false},
	{"/proc/interrupts", false, false},
	{"/proc/keys", false, false},
	{"/proc/scsi/scsi", false, false},
	{"/sys/firmware/acpi/tables/DSDT", false, false},
	{"/sys/kernel/vmcoreinfo", false, true},
};

// Runtimes bind /dev/null over a file that they mask: it opens, and shows nothing.
static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static bool looks_in(const struct window *w)
{
	_cleanup_close_ int fd = open(w->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char text[256] = "";
	ssize_t n;

	if (fd < 0 || is_null(fd))
		return false;
	if (w->keep)
		return true;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	// "0000000000000000 A name": the address is kept back
	return !w->addresses || strspn(text, "0 \t-") < strcspn(text, ":ABTDabtd\n");
}

static bool listed(const char *dir)
{
	_cleanup_names_ struct names names = names_of_dir(dir, "");

	return names.n > 0;
}

static void kernel(const struct audit *, struct finding *f)
{
	static const char *const dirs[] = {
		"/sys/kernel/debug",
		"/sys/kernel/tracing",
		"/sys/firmware",
		"/sys/kernel/security"};
	_cleanup_names_ struct names open_ones = {0};

	for (size_t i = 0; i < ARRAY_LEN(windows); i++)
		if (looks_in(&windows[i]))
			names_add(&open_ones, windows[i].path);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (listed(dirs[i]))
			names_add(&open_ones, dirs[i]);
	if (open_ones.n > 0)
		fail(f, "can be read: %s", name_list(&open_ones, 12));
	else
		pass(f, "none can be read");
}

const struct property audit_processes[] = {
	{"proc-own", "compare its process number with that of /proc", own_proc},
	{"proc-outside", "find processes from outside and signal 0 to them", outside},
	{"proc-windows", "read kernel memory, symbols, logs, tables of the firmware", kernel},
	{0},
};

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/exp/footprint.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>

// "Key:   123 kB" in MiB; 0 where there is no such line.
static double field(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at != NULL ? strtod(at + strlen(key), NULL) / 1024 : 0;
}

static pid_t parent_of(int proc, const char *pid)
{
	_cleanup_free_ char *path = need(str_printf("%s/stat", pid)), *text = NULL;
	const char *at;
	int parent = 0;

	if (fs_read_system(proc, path, 4096, &text, NULL) < 0)
		return 0;
	// behind the name, which may have anything in it
	at = strrchr(text, ')');
	if (at == NULL || sscanf(at, ") %*c %d", &parent) != 1)
		return 0;
	return parent;
}

// A process of the machine, and whether it is one of those that are looked for.
struct member {
	pid_t pid, parent;
	bool in;
};

struct family {
	struct member *of;
	unsigned n;
};

static void family_done(struct family *f)
{
	free(f->of);
}

static bool is_in(const struct family *f, pid_t pid)
{
	for (unsigned i = 0; i < f->n; i++) {
		if (f->of[i].in && f->of[i].pid == pid)
			return true;
	}
	return false;
}

// Marks `first`, the children of `parent` but `other`, and all below them.
static void mark(struct family *f, pid_t first, pid_t parent, pid_t other)
{
	bool more = true;

	for (unsigned i = 0; i < f->n; i++)
		f->of[i].in = f->of[i].pid == first
			      || (f->of[i].parent == parent && f->of[i].pid != other);
	while (more) {
		more = false;
		for (unsigned i = 0; i < f->n; i++) {
			if (!f->of[i].in && is_in(f, f->of[i].parent))
				f->of[i].in = more = true;
		}
	}
}

// Of the mappings that QEMU's memory backends make of memory files.
static double guest_memory(int proc, pid_t pid)
{
	_cleanup_free_ char *path = need(str_printf("%d/smaps", pid)), *text = NULL;
	bool guest = false;
	double sum = 0;

	if (fs_read_system(proc, path, 1 << 22, &text, NULL) < 0)
		return 0;
	str_foreach (line, text, "\n") {
		if (strchr(line, '-') != NULL && !isupper((unsigned char)line[0]))
			guest = strstr(line, "/memfd:memory-backend") != NULL;
		else if (guest && str_starts(line, "Pss:"))
			sum += field(line, "Pss:");
	}
	return sum;
}

static void add_process(int proc, pid_t pid, struct footprint *sum)
{
	_cleanup_free_ char *path = need(str_printf("%d/smaps_rollup", pid)), *text = NULL;

	if (fs_read_system(proc, path, 1 << 16, &text, NULL) < 0)
		return;
	sum->processes++;
	sum->pss += field(text, "\nPss:");
	sum->pss_anon += field(text, "\nPss_Anon:");
	sum->pss_file += field(text, "\nPss_File:") + field(text, "\nPss_Shmem:");
	sum->pss_guest += guest_memory(proc, pid);
	sum->hugepages += field(text, "\nShared_Hugetlb:") + field(text, "\nPrivate_Hugetlb:");
}

// The memory cgroup of a process: its path below the hierarchy, and whether that is v1's. "" where it has none.
static void group_of(int proc, pid_t pid, char *path, size_t len, bool *v1)
{
	_cleanup_free_ char *file = need(str_printf("%d/cgroup", pid)), *text = NULL;
	char *save = NULL, *line;

	path[0] = '\0';
	if (fs_read_system(proc, file, 1 << 16, &text, NULL) < 0)
		return;
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		const char *at = strstr(line, ":memory:");

		if (at == NULL && (!str_starts(line, "0::") || path[0] != '\0'))
			continue;
		*v1 = at != NULL;
		snprintf(path, len, "%s", at != NULL ? at + strlen(":memory:") : line + 3);
	}
}

// The kernel's memory in a cgroup, in MiB.
static double kernel_of(const char *path, bool v1)
{
	_cleanup_free_ char *file = need(str_printf(
		v1 ? "/sys/fs/cgroup/memory%s/memory.kmem.usage_in_bytes"
		   : "/sys/fs/cgroup%s/memory.stat",
		path
	));
	_cleanup_free_ char *text = NULL;

	if (fs_read_file(file, 1 << 16, &text, NULL) < 0)
		return NAN;
	if (v1)
		return strtod(text, NULL) / (1 << 20);
	return strstr(text, "\nkernel ") != NULL ? field(text, "\nkernel ") / 1024 : NAN;
}

// Of the deepest group that any of them is in: the program's. One of this process's own groups, or the root, is not of
// the instance alone.
static double kernel_of_family(int proc, const struct family *f)
{
	char own[1024], best[1024] = "", path[1024];
	bool v1 = false, best_v1 = false;

	group_of(proc, getpid(), own, sizeof(own), &v1);
	for (unsigned i = 0; i < f->n; i++) {
		if (!f->of[i].in)
			continue;
		group_of(proc, f->of[i].pid, path, sizeof(path), &v1);
		if (strlen(path) > strlen(best) && !str_eq(path, own)) {
			snprintf(best, sizeof(best), "%s", path);
			best_v1 = v1;
		}
	}
	return strlen(best) < 2 ? NAN : kernel_of(best, best_v1);
}

int footprint_take(pid_t first, pid_t parent, pid_t other, struct footprint *ret, struct err *err)
{
	_cleanup_closedir_ DIR *d = dir_open(AT_FDCWD, "/proc", 0);
	scope_cleanup(family_done) struct family f = {0};
	struct footprint sum = {.kernel = NAN};
	struct dirent *e;

	while (d != NULL && (e = dir_next(d)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (!isdigit((unsigned char)e->d_name[0]) || pid == getpid())
			continue;
		if (f.n % 256 == 0)
			f.of = need(reallocarray(f.of, f.n + 256, sizeof(*f.of)));
		f.of[f.n++] = (struct member){pid, parent_of(dirfd(d), e->d_name), false};
	}
	mark(&f, first, parent, other);
	for (unsigned i = 0; d != NULL && i < f.n; i++) {
		if (!f.of[i].in)
			continue;
		add_process(dirfd(d), f.of[i].pid, &sum);
	}
	if (sum.processes == 0)
		return err_set(err, ESRCH, "read the memory of process %d: it has ended", first);
	sum.kernel = kernel_of_family(dirfd(d), &f);
	*ret = sum;
	return 0;
}

double footprint_available(void)
{
	_cleanup_free_ char *text = NULL;

	return fs_read_file("/proc/meminfo", 1 << 16, &text, NULL) == 0
		       ? field(text, "MemAvailable:")
		       : NAN;
}

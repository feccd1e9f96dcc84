// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Limits of memory and processes. From inside a limit is seen only by running into it, unless the
// cgroup files are there.

#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "inside/audit/audit.h"
#include "inside/child.h"
#include "inside/files.h"
#include "inside/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PIDS_MAX 4096 // no more are started to find a limit
#define MEMORY_MAX (UINT64_C(1) << 30)
#define MEMORY_OVER (UINT64_C(32) << 20)
#define SECONDS 8

// ---- what the cgroup files say, where they can be seen

struct limit {
	const char *v1, *v2; // "pids/pids.max" below the controller's mount
	const char *controller;
	char found[64];
};

// This process's cgroup of a controller ("": version 2), as a path below the mount.
static bool cgroup_path(const char *controller, char *ret, size_t len)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/cgroup", "re");
	char line[1024];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *names = strchr(line, ':'), *path;

		if (names == NULL || (path = strchr(++names, ':')) == NULL)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (*names == '\0' && *controller == '\0') {
			snprintf(ret, len, "%s", path);
			return true;
		}
		str_foreach (n, names, ",")
			if (str_eq(n, controller)) {
				snprintf(ret, len, "%s", path);
				return true;
			}
	}
	return false;
}

// A limit of a cgroup or of one above it.
static void look(const struct mntent *m, void *arg)
{
	struct limit *l = arg;
	bool v2 = str_eq(m->mnt_type, "cgroup2");
	char path[2048], file[4096], *slash;

	if (!v2 && (!str_eq(m->mnt_type, "cgroup") || hasmntopt(m, l->controller) == NULL))
		return;
	if (!cgroup_path(v2 ? "" : l->controller, path, sizeof(path)))
		return;
	do {
		char value[64];
		uint64_t n;

		snprintf(file, sizeof(file), "%s%s/%s", m->mnt_dir, path, v2 ? l->v2 : l->v1);
		n = strtoull(line_of(file, value, sizeof(value)), NULL, 10);
		// version 1 says "none" as a number close to 2^63
		if (n > 0 && n < UINT64_C(1) << 60)
			snprintf(l->found, sizeof(l->found), "%s", value);
		slash = strrchr(path, '/');
		if (slash != NULL)
			*slash = '\0';
	} while (slash != NULL && l->found[0] == '\0');
}

static bool written_limit(struct limit l, struct finding *f)
{
	own_mounts_each(look, &l);
	if (l.found[0] != '\0')
		pass(f, "%s in the cgroup files", l.found);
	return l.found[0] != '\0';
}

// ---- processes

// Starts processes until it is refused, at most `arg` of them; result: how many there were.
static void spawn(const void *arg, void *result)
{
	uint64_t max = *(const uint64_t *)arg, *n = result;
	static pid_t pids[PIDS_MAX + 2];

	for (; *n < max; (*n)++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			alarm(SECONDS);
			for (;;)
				pause();
		}
		pids[*n] = pid;
	}
	for (uint64_t i = 0; i < *n; i++)
		kill(pids[i], SIGKILL);
	for (uint64_t i = 0; i < *n; i++)
		waitpid(pids[i], NULL, 0);
}

static void processes(const struct audit *a, struct finding *f)
{
	struct limit l = {"pids.max", "pids.max", "pids", ""};
	uint64_t want = a->given.pids + 1, n = 0;
	int r;

	if (written_limit(l, f))
		return;
	if (!a->given.known) {
		fail(f, "no grant and no cgroup file tells of one");
	} else if (a->given.pids > PIDS_MAX) {
		skip(f,
		     "not tried: %llu are granted, too many to start",
		     (unsigned long long)a->given.pids);
	} else if (!a->exhaust) {
		skip(f, "not tried: it would take the program's last processes (--all)");
	} else if ((r = child_run(spawn, &want, &n, sizeof(n), SECONDS)) != 0) {
		fail(f, "could not be tried (%d)", r);
	} else if (n >= want) {
		fail(f,
		     "%llu more were started, and %llu are granted",
		     (unsigned long long)n,
		     (unsigned long long)a->given.pids);
	} else {
		pass(f, "%llu more were started, then it was refused", (unsigned long long)n);
	}
}

// ---- memory

// Touches memory. Whoever goes over the limit, this child is ended, not the program beside it.
static void touch(const void *arg, void *result)
{
	_cleanup_close_ int fd = -1;
	uint64_t len = *(const uint64_t *)arg;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	// its own files in /proc belong to root as long as it cannot be dumped
	prctl(PR_SET_DUMPABLE, 1);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1000", 4) != 4 || p == MAP_FAILED) {
		*(int *)result = errno;
		return;
	}
	for (uint64_t i = 0; i < len; i += 4096)
		*(volatile char *)(p + i) = 1;
}

// Whether memory is limited by cgroups of version 2: pinfold has the kernel end the whole workload
// there (memory.oom.group).
static bool ends_all(void)
{
	char path[2048];

	return !cgroup_path("memory", path, sizeof(path));
}

// What a machine has is its limit: its kernel counts it without what it keeps from the start for itself.
static void machine_memory(const struct audit *a, struct finding *f)
{
	uint64_t granted = a->given.memory, has = 0;
	_cleanup_fclose_ FILE *m = fopen("/proc/meminfo", "re");
	char line[256], more[SIZE_STR], size[SIZE_STR];
	unsigned long long kib;

	while (m != NULL && has == 0 && fgets(line, sizeof(line), m) != NULL) {
		if (sscanf(line, "MemTotal: %llu kB", &kib) == 1)
			has = kib << 10;
	}
	for (unsigned i = 0; i < a->given.npages; i++)
		granted += a->given.pages[i].size * a->given.pages[i].count;
	size_format(has & ~UINT64_C(0xfffff), more);
	size_format(granted, size);
	if (has == 0)
		fail(f, "could not be tried: /proc/meminfo tells of no memory");
	else if (has > granted)
		fail(f, "the machine has %s, and %s are granted with hugepages", more, size);
	else
		pass(f, "the machine has %s of %s that are granted with hugepages", more, size);
}

static void memory(const struct audit *a, struct finding *f)
{
	struct limit l = {"memory.limit_in_bytes", "memory.max", "memory", ""};
	uint64_t len = a->given.memory + MEMORY_OVER;
	char size[SIZE_STR];
	int error = 0, r;

	if (a->given.machine) {
		machine_memory(a, f);
		return;
	}
	if (written_limit(l, f))
		return;
	size_format(a->given.memory, size);
	if (!a->given.known) {
		fail(f, "no grant and no cgroup file tells of one");
	} else if (ends_all()) {
		skip(f, "not tried: going over it ends the whole workload");
	} else if (a->given.memory > MEMORY_MAX) {
		skip(f, "not tried: %s are granted, too much to fill", size);
	} else if (!a->exhaust) {
		skip(f, "not tried: it would take the program's last memory (--all)");
	} else if ((r = child_run(touch, &len, &error, sizeof(error), SECONDS)) == SIGKILL) {
		pass(f, "a process was ended before it had %s and more", size);
	} else if (r == 0 && error == 0) {
		fail(f,
		     "%llu M were touched, and %s are granted",
		     (unsigned long long)(len >> 20),
		     size);
	} else {
		fail(f, "could not be tried: %s", strerror(r == 0 ? error : r < 0 ? -r : EINTR));
	}
}

const struct property audit_limits[] = {
	{"limit-processes", "start more processes than granted", processes},
	{"limit-memory", "touch more memory than granted", memory, .machine = true},
	{0},
};

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/process.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#define FILE_MAX 65536
#define DEPTH 8 // pinfold, its supervisor, the container's first process, …

// A file of /proc, less its last newline.
static char *read_proc(const char *fmt, int pid, int tid)
{
	char path[96];
	char *text = NULL;

	snprintf(path, sizeof(path), fmt, pid, tid);
	if (fs_read_file(path, FILE_MAX, &text, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static pid_t find(pid_t from, const char *name, unsigned depth)
{
	_cleanup_free_ char *comm = read_proc("/proc/%d/comm", from, 0), *children = NULL;

	if (comm == NULL || depth == 0)
		return 0;
	if (str_eq(comm, name))
		return from;
	children = read_proc("/proc/%d/task/%d/children", from, from);
	if (children == NULL)
		return 0;
	str_foreach (p, children, " ") {
		pid_t found = find((pid_t)atoi(p), name, depth - 1);

		if (found != 0)
			return found;
	}
	return 0;
}

pid_t process_find(pid_t from, const char *name)
{
	return find(from, name, DEPTH);
}

pid_t process_thread(pid_t pid, const char *word)
{
	char path[64];
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = dir_open(AT_FDCWD, path, 0);
	while (d != NULL && (e = dir_next(d)) != NULL) {
		int tid = atoi(e->d_name);
		_cleanup_free_ char *comm = read_proc("/proc/%d/task/%d/comm", (int)pid, tid);

		if (comm != NULL && strstr(comm, word) != NULL)
			return (pid_t)tid;
	}
	return 0;
}

int64_t process_ran_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	// this process's own clock would be that of 0
	if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		return -1;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t process_waited_ns(pid_t pid, pid_t tid)
{
	_cleanup_free_ char *text =
		tid != 0 ? read_proc("/proc/%d/task/%d/schedstat", (int)pid, (int)tid) : NULL;
	long long waited;

	if (text == NULL || sscanf(text, "%*d %lld", &waited) != 1)
		return -1;
	return waited;
}

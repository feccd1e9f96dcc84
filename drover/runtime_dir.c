// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime_dir.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN "drover-"

static char taken[NAME_MAX + 1]; // "": none

// Where EAL makes it: as eal_create_runtime_dir does.
static int open_top(void)
{
	const char *top = getenv("RUNTIME_DIRECTORY");
	_cleanup_free_ char *path = NULL;

	if (top == NULL && getuid() == 0)
		top = "/var/run";
	else if (top == NULL)
		top = getenv("XDG_RUNTIME_DIR");
	path = str_printf("%s/dpdk", top != NULL ? top : "/tmp");
	return path != NULL ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

// A name that drover gave, of a process that is not there.
static bool is_dead(const char *name)
{
	char *end;
	long pid;

	if (!str_starts(name, OWN) || !isdigit((unsigned char)name[strlen(OWN)]))
		return false;
	pid = strtol(name + strlen(OWN), &end, 10);
	return *end == '\0' && pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

// The process may be in another container that shares the directory: EAL holds a lock for as long as it
// runs. Of one that has just begun there is no lock, nor a configuration, yet.
static bool is_unlocked(int top, const char *name)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	_cleanup_free_ char *path = str_printf("%s/config", name);
	_cleanup_close_ int fd = -1;

	if (path == NULL)
		return false;
	fd = openat(top, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

void runtime_dir_sweep(void)
{
	_cleanup_close_ int top = open_top();
	_cleanup_closedir_ DIR *d = top >= 0 ? dir_open(top, ".", 0) : NULL;
	const struct dirent *e;
	struct err err;

	while ((e = dir_next(d)) != NULL) {
		if (is_dead(e->d_name) && is_unlocked(top, e->d_name))
			fs_remove_tree(top, e->d_name, &err);
	}
}

void runtime_dir_take(const char *prefix)
{
	_cleanup_close_ int top = open_top();

	// what has our pid in its name is of no use to anybody else, whoever left it
	if (prefix == NULL)
		snprintf(taken, sizeof(taken), OWN "%d", (int)getpid());
	else if (top < 0 || faccessat(top, prefix, F_OK, 0) < 0)
		snprintf(taken, sizeof(taken), "%s", prefix);
}

void runtime_dir_remove(void)
{
	_cleanup_close_ int top = open_top();
	struct err err;

	if (top >= 0 && taken[0] != '\0')
		fs_remove_tree(top, taken, &err);
	taken[0] = '\0';
}

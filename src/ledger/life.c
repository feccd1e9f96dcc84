// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is true of a lease now: its boot, its processes, its supervisor.

#include "base/fs.h"
#include "base/scope.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

bool lease_of_this_boot(const struct ledger *l, const struct lease *lease)
{
	_cleanup_free_ char *boot = NULL;

	if (fs_read(l->fs.root, "proc/sys/kernel/random/boot_id", 4096, &boot, NULL) < 0)
		return true; // a kernel that does not tell: better too careful than too fast
	boot[strcspn(boot, "\n")] = '\0';
	return str_eq(boot, lease->boot_id);
}

// True if the directory or one below it has a process: cgroup v1 has no single file that says it.
static bool populated(int dir, unsigned depth)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int fd;

	if (fs_read(dir, "cgroup.events", 4096, &text, NULL) == 0)
		return strstr(text, "populated 1") != NULL;
	if (fs_read(dir, "cgroup.procs", 1u << 20, &text, NULL) == 0 && text[0] != '\0')
		return true;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	while (d != NULL && depth > 0 && (e = readdir(d)) != NULL) {
		_cleanup_close_ int sub = -1;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0 && populated(sub, depth - 1))
			return true;
	}
	return false;
}

bool lease_in_use(const struct ledger *l, const struct lease *lease)
{
	_cleanup_close_ int dir = -1;

	if (!lease_of_this_boot(l, lease))
		return false;
	dir = fs_open_in(l->fs.root, lease->cgroup, O_RDONLY | O_DIRECTORY, 0);
	return dir >= 0 && populated(dir, 16);
}

bool lease_supervised(const struct ledger *l, const struct lease *lease)
{
	return lease->supervisor_start != 0 && lease_of_this_boot(l, lease)
	       && process_start(&l->fs, lease->supervisor) == lease->supervisor_start;
}

bool lease_same_run(const struct lease *a, const struct lease *b)
{
	return a->supervisor == b->supervisor && a->supervisor_start == b->supervisor_start
	       && a->started == b->started && str_eq(a->boot_id, b->boot_id);
}

uint64_t process_start(const struct hostfs *fs, int pid)
{
	_cleanup_free_ char *path = str_printf("proc/%d/stat", pid);
	_cleanup_free_ char *text = NULL;
	unsigned long long start;
	char *field, state;

	if (path == NULL || fs_read(fs->root, path, 4096, &text, NULL) < 0)
		return 0;
	// after the name, which may hold brackets and spaces: state is field 3, starttime field 22
	field = strrchr(text, ')');
	if (field == NULL
	    || sscanf(field + 1,
		      " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		      "%llu",
		      &state,
		      &start)
		       != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : start; // has ended, and waits to be reaped
}

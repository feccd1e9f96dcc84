// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Logs of names that nobody uses any more would fill the disk in months.

#include "run/log.h"

#include "base/dir.h"
#include "base/scope.h"
#include "run/log_times.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_END ".log"

struct old {
	char name[NAME_MAX_LEN + 1];
	struct timespec at; // when something was said last
};

static int newest_first(const void *a, const void *b)
{
	const struct timespec *x = &((const struct old *)a)->at, *y = &((const struct old *)b)->at;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return x->tv_nsec < y->tv_nsec ? 1 : x->tv_nsec > y->tv_nsec ? -1 : 0;
}

// The name, if the file is the log of one that does not run.
static bool is_old(const struct ledger *l, int dir, const char *file, struct old *ret)
{
	size_t len = strlen(file), end = strlen(LOG_END);
	struct err unused;
	struct stat st;

	if (len <= end || len - end > NAME_MAX_LEN || !str_eq(file + len - end, LOG_END))
		return false;
	*ret = (struct old){0};
	memcpy(ret->name, file, len - end);
	if (name_check("a log", ret->name, &unused) < 0 || lease_exists(l, ret->name)
	    || fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	ret->at = st.st_mtim;
	return true;
}

static void remove_logs(int dir, const char *name)
{
	static const char *const ends[] = {
		"",
		".1",
		".former",
		".1.former",
		TIMES_END,
		".1" TIMES_END,
		TIMES_END ".former",
		".1" TIMES_END ".former",
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		_cleanup_free_ char *file = str_printf("%s" LOG_END "%s", name, ends[i]);

		if (file != NULL)
			unlinkat(dir, file, 0);
	}
}

// A new log is made under the lock: one that is removed belongs to nobody.
void log_prune(struct ledger *l)
{
	_cleanup_closedir_ DIR *d = dir_open(AT_FDCWD, LOG_DIR, O_NOFOLLOW);
	_cleanup_free_ struct old *all = NULL;
	const struct dirent *e;
	struct err unused;
	size_t n = 0;

	if (d == NULL || ledger_lock(l, &unused) < 0)
		return;
	while ((e = dir_next(d)) != NULL) {
		struct old one, *more;

		if (!is_old(l, dirfd(d), e->d_name, &one))
			continue;
		more = realloc(all, (n + 1) * sizeof(*all));
		if (more == NULL)
			break;
		all = more;
		all[n++] = one;
	}
	if (n > 0)
		qsort(all, n, sizeof(*all), newest_first);
	for (size_t i = LOGS_KEPT; i < n; i++)
		remove_logs(dirfd(d), all[i].name);
	ledger_unlock(l);
}

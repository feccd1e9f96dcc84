// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/leases.h"

#include "base/dir.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/child.h"

#include <fcntl.h>
#include <string.h>

#define STOP_MS 30000
#define SUFFIX ".json"
#define LEASES "/run/pinfold/leases" // docs/architecture.md

static void stop(struct bench *b, const char *name)
{
	const char *const argv[] = {b->pinfold, "stop", "-t", "0", name, NULL};
	const struct child_how how = {.argv = argv, .always = true};
	struct err unused;

	// one that has just ended by itself is none
	(void)child_run(b, &how, STOP_MS, -1, NULL, NULL, &unused);
}

// Whose it is; 0 where it has just gone.
static pid_t supervisor_of(int leases, const char *file)
{
	_cleanup_json_ json_t *doc = NULL;
	struct err unused;

	if (jread_file(leases, file, "a lease", &doc, &unused) < 0)
		return 0;
	return (pid_t)json_integer_value(json_object_get(doc, "supervisor"));
}

void leases_stop(struct bench *b, pid_t supervisor)
{
	_cleanup_closedir_ DIR *d = NULL;
	static bool stopping; // a stop that hangs is not answered by another
	char prefix[32];
	struct dirent *e;

	if (b->pinfold == NULL || stopping)
		return;
	stopping = true;
	d = dir_open(AT_FDCWD, LEASES, 0);
	snprintf(prefix, sizeof(prefix), "bench-%d-", (int)getpid());
	while (d != NULL && (e = dir_next(d)) != NULL) {
		_cleanup_free_ char *name = strdup(e->d_name);
		char *suffix = name != NULL ? strrchr(name, '.') : NULL;

		if (suffix == NULL || !str_eq(suffix, SUFFIX) || !str_starts(name, prefix)
		    || (supervisor != 0 && supervisor_of(dirfd(d), e->d_name) != supervisor))
			continue;
		*suffix = '\0';
		stop(b, name);
	}
	stopping = false;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The root file system.

#include "inside/files.h"
#include "base/scope.h"
#include "inside/audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

// A file without a name, where the file system has such; else one that is removed at once. errno or 0.
static int make_in(const char *dir)
{
	_cleanup_close_ int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return errno;
	fd = open(audit_path(dir), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	unlink(audit_path(dir));
	return 0;
}

static void root(const struct audit *, struct finding *f)
{
	static const char *const dirs[] = {
		"/", "/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/root", "/home"};
	_cleanup_names_ struct names written = {0};
	unsigned tried = 0;
	int why = 0;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		int r = make_in(dirs[i]);

		if (r == ENOENT)
			continue;
		tried++;
		if (r == 0)
			names_add(&written, dirs[i]);
		else
			why = r;
	}
	if (written.n > 0)
		fail(f, "made files in %s", name_list(&written, 10));
	else
		pass(f, "in none of %u places: %s", tried, strerrorname_np(why) ?: "?");
}

const struct property audit_files[] = {
	{"root-readonly", "make a file in /, /usr, /etc and others", root},
	{0},
};

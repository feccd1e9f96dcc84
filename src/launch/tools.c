// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The programs of the host that a container needs: the runtime, and pinfold-inside.

#include "base/scope.h"
#include "launch/launch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Beside the program that runs: in a build tree, then where it is installed.
char *launch_find_inside(void)
{
	static const char *const below[] = {"", "../inside/", "../libexec/pinfold/"};
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	slash[1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		_cleanup_free_ char *path = str_printf("%s%spinfold-inside", self, below[i]);
		char *real = path != NULL ? realpath(path, NULL) : NULL;

		if (real != NULL)
			return real;
	}
	return NULL;
}

int launch_find_tools(struct launch *launch, struct err *err)
{
	if (runtime_find(&launch->site.runtime, launch->runtime, err) < 0)
		return -err->code;
	launch->inside = launch_find_inside();
	if (launch->inside == NULL)
		return err_set(
			err,
			ENOENT,
			"find pinfold-inside beside this program or in ../libexec/pinfold; install "
			"it"
		);
	launch->found = true;
	return 0;
}

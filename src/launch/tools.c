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
char *launch_find_beside(const char *built, const char *name)
{
	const char *const below[] = {"", built, "../libexec/pinfold/"};
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	slash[1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		_cleanup_free_ char *path = str_printf("%s%s%s", self, below[i], name);
		char *real = path != NULL ? realpath(path, NULL) : NULL;

		if (real != NULL)
			return real;
	}
	return NULL;
}

int launch_missing(const char *name, struct err *err)
{
	return err_set(
		err,
		ENOENT,
		"%s is neither beside this program nor in ../libexec/pinfold; install pinfold anew "
		"(make install)",
		name
	);
}

char *launch_find_inside(void)
{
	return launch_find_beside("../inside/", "pinfold-inside");
}

int launch_find_tools(struct launch *launch, struct err *err)
{
	if (runtime_find(&launch->site.runtime, launch->runtime, err) < 0)
		return -err->code;
	launch->inside = launch_find_inside();
	if (launch->inside == NULL)
		return launch_missing("pinfold-inside", err);
	launch->found = true;
	return site_has(&launch->site, SITE_GUEST) ? vm_find(launch->inside, &launch->vm, err) : 0;
}

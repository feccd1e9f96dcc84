// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Where a process is.

#include "host/cgroup.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <string.h>

// "4:pids:/a/b" of cgroups(7): the path, if it is the hierarchy of the controller; "": of version 2.
static char *path_in_line(char *line, const char *controller)
{
	char *names = strchr(line, ':'), *path = names != NULL ? strchr(names + 1, ':') : NULL;

	if (path == NULL)
		return NULL;
	*path++ = '\0';
	if (controller[0] == '\0')
		return names[1] == '\0' ? path : NULL;
	str_foreach (n, names + 1, ",") {
		if (str_eq(n, controller))
			return path;
	}
	return NULL;
}

char *host_cgroup_in(
	const struct hostfs *fs,
	const struct host_cgroup *cg,
	int pid,
	const char *dir,
	const char *controller
)
{
	_cleanup_free_ char *file = str_printf("proc/%d/cgroup", pid), *text = NULL;

	if (file == NULL || fs_read_system(fs->root, file, 1u << 16, &text, NULL) < 0)
		return NULL;
	str_foreach (line, text, "\n") {
		char *path = path_in_line(line, controller);

		if (path != NULL)
			return str_printf(
				"%s%s%s%s", cg->mount, dir[0] != '\0' ? "/" : "", dir, path
			);
	}
	return NULL;
}

char *host_cgroup_of(const struct hostfs *fs, const struct host_cgroup *cg, int pid)
{
	const struct host_controller *c;

	if (cg->version == HOST_CGROUP_V2)
		return host_cgroup_in(fs, cg, pid, "", "");
	c = host_cgroup_tracker(cg);
	return c != NULL ? host_cgroup_in(fs, cg, pid, host_controller_dir(cg, c), c->name) : NULL;
}

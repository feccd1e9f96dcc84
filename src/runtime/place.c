// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/place.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/size.h"
#include "runtime/derive.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

// "4:pids:/a/b" of cgroups(7): the path, if it is the hierarchy of the controller; "": of version 2.
static char *path_in_line(char *line, const char *controller)
{
	char *names = strchr(line, ':'), *path = names != NULL ? strchr(names + 1, ':') : NULL;
	char *save = NULL;

	if (path == NULL)
		return NULL;
	*path++ = '\0';
	if (controller[0] == '\0')
		return names[1] == '\0' ? path : NULL;
	for (char *n = strtok_r(names + 1, ",", &save); n != NULL; n = strtok_r(NULL, ",", &save)) {
		if (str_eq(n, controller))
			return path;
	}
	return NULL;
}

// The directory of a process in the hierarchy that is mounted at `dir` below the others. New string; NULL: it is in
// none.
static char *directory_of(
	int pid, const struct hostfs *fs, const char *mount, const char *dir, const char *controller
)
{
	_cleanup_free_ char *file = str_printf("proc/%d/cgroup", pid), *text = NULL;
	char *save = NULL;

	if (file == NULL || fs_read_system(fs->root, file, 1u << 16, &text, NULL) < 0)
		return NULL;
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		char *path = path_in_line(line, controller);

		if (path != NULL)
			return str_printf("%s%s%s%s", mount, dir[0] != '\0' ? "/" : "", dir, path);
	}
	return NULL;
}

// The one that tells whether it is alive: as for leases with cgroups of pinfold's own.
static char *tracked(int pid, const struct host_cgroup *cg, const struct hostfs *fs)
{
	const struct {
		const char *name, *dir;
	} tries[] = {
		{"pids", cg->dir_pids},
		{"freezer", cg->dir_freezer},
		{"devices", cg->dir_devices},
		{"memory", cg->dir_memory},
	};

	if (cg->version == HOST_CGROUP_V2)
		return directory_of(pid, fs, cg->mount, "", "");
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		if (tries[i].dir[0] != '\0')
			return directory_of(pid, fs, cg->mount, tries[i].dir, tries[i].name);
	}
	return NULL;
}

// Without a file for it the kernel, or whoever made the cgroup, does not limit hugepages at all.
static int limit_reservations(
	const char *dir,
	const struct host *host,
	const json_t *spec,
	const struct grant *g,
	struct err *err
)
{
	bool v2 = host->cgroup.version == HOST_CGROUP_V2;
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned i = 0; fd >= 0 && i < host->nsizes; i++) {
		uint64_t size = host->hugepages[i].size;
		uint64_t pages = grant_pages(g, size, -1, true, true);
		char name[SIZE_STR], file[64], value[32];

		if (pages == 0 && !derive_limits(spec, size))
			continue;
		snprintf(
			file,
			sizeof(file),
			"hugetlb.%s.rsvd.%s",
			size_format_hugetlb(size, name),
			v2 ? "max" : "limit_in_bytes"
		);
		snprintf(value, sizeof(value), "%llu", (unsigned long long)(pages * size));
		if (faccessat(fd, file, F_OK, 0) == 0 && fs_write_control(fd, file, value, err) < 0)
			return err_wrap(err, "limit reservations in '%.160s'", dir);
	}
	return 0;
}

int place_note(
	int pid,
	const struct host *host,
	const struct hostfs *fs,
	const json_t *spec,
	struct lease *lease,
	struct err *err
)
{
	const struct host_cgroup *cg = &host->cgroup;
	_cleanup_free_ char *dir = tracked(pid, cg, fs), *pages = NULL;

	if (dir == NULL || strlen(dir) >= sizeof(lease->cgroup))
		return err_set(err, ESRCH, "find the cgroup of process %d", pid);
	if (cg->version == HOST_CGROUP_V2)
		pages = strdup(dir);
	else if (cg->dir_hugetlb[0] != '\0')
		pages = directory_of(pid, fs, cg->mount, cg->dir_hugetlb, "hugetlb");
	if (pages != NULL && limit_reservations(pages, host, spec, &lease->grant, err) < 0)
		return -err->code;
	strcpy(lease->cgroup, dir);
	return 0;
}

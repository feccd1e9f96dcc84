// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/place.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/size.h"
#include "host/cgroup.h"
#include "runtime/derive.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

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
	_cleanup_free_ char *dir = host_cgroup_of(fs, cg, pid), *pages = NULL;

	if (dir == NULL || strlen(dir) >= sizeof(lease->cgroup))
		return err_set(err, ESRCH, "find the cgroup of process %d", pid);
	if (cg->version == HOST_CGROUP_V2)
		pages = strdup(dir);
	else if (cg->dir_hugetlb[0] != '\0')
		pages = host_cgroup_in(fs, cg, pid, cg->dir_hugetlb, "hugetlb");
	if (pages != NULL && limit_reservations(pages, host, spec, &lease->grant, err) < 0)
		return -err->code;
	strcpy(lease->cgroup, dir);
	return 0;
}

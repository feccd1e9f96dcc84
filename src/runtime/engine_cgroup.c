// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/engine_cgroup.h"

#include "base/clock.h"
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

#define NOBODY (-1) // it has not been made yet
#define PARENTS_MAX 64
#define LOOKS 20 // of 10 ms: what a runtime had in there besides may just be ending

static int parent_of(const struct hostfs *fs, int pid)
{
	_cleanup_free_ char *path = str_printf("proc/%d/stat", pid), *text = NULL;
	const char *name_end;
	int parent = 0;

	if (path == NULL || fs_read_system(fs->root, path, 4096, &text, NULL) < 0)
		return 0;
	name_end = strrchr(text, ')');
	return name_end != NULL && sscanf(name_end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

struct stranger {
	const struct hostfs *fs;
	int first, pid;
};

static int find_stranger(int dir, const int *pids, size_t n, void *arg)
{
	struct stranger *s = arg;

	(void)dir;
	for (size_t i = 0; i < n; i++) {
		int pid = pids[i];

		for (unsigned up = 0; up < PARENTS_MAX && pid > 1 && pid != s->first; up++)
			pid = parent_of(s->fs, pid);
		if (pid != s->first) {
			s->pid = pids[i];
			return 1;
		}
	}
	return 0;
}

// Whatever is limited or ended there would be so for others.
static int refuse_shared(const struct hostfs *fs, int first, const char *dir, struct err *err)
{
	static const char cure[] =
		"; have the engine make one for it alone (cgroupsPath, podman --cgroups=enabled)";
	struct stranger s = {.fs = fs, .first = first};
	_cleanup_close_ int fd = -1;
	int r = 1;

	if (dir[strlen(dir) - 1] == '/')
		return err_set(
			err,
			EBUSY,
			"create: '%.200s' is the cgroup of the whole machine%s",
			dir,
			cure
		);
	if (strstr(dir, "/..") != NULL)
		return err_set(
			err, EBUSY, "create: the cgroup '%.200s' is not seen from here%s", dir, cure
		);
	fd = fs_open_in(fs->root, dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT && first == NOBODY)
		return 0;
	if (fd < 0)
		return err_sys(err, errno, "open cgroup '%.200s'", dir);
	for (unsigned look = 0; r > 0 && look < LOOKS; look++) {
		if (look > 0)
			nap_ms(10);
		r = host_cgroup_walk(fd, false, HOST_CGROUP_WALK, find_stranger, &s);
	}
	if (r < 0)
		return err_sys(err, -r, "look for processes in cgroup '%.200s'", dir);
	return r > 0 ? err_set(
		       err,
		       EBUSY,
		       "create: cgroup '%.200s' has process %d, which is not the container's%s",
		       dir,
		       s.pid,
		       cure
	       )
		     : 0;
}

// The cgroup that the engine names, where it is no unit of systemd's: "/a/b".
static const char *named(const json_t *spec)
{
	const json_t *linux_part = json_object_get(spec, "linux");
	const char *path = json_string_value(json_object_get(linux_part, "cgroupsPath"));

	return path != NULL && path[0] != '\0' && strchr(path, ':') == NULL ? path : NULL;
}

int place_check(
	const struct host *host, const struct hostfs *fs, const json_t *spec, struct err *err
)
{
	const struct host_cgroup *cg = &host->cgroup;
	const char *const dirs[] = {
		cg->dir_pids,
		cg->dir_freezer,
		cg->dir_devices,
		cg->dir_memory,
		cg->dir_hugetlb,
		cg->version == HOST_CGROUP_V2 ? "." : ""};
	const char *path = named(spec);
	size_t len = path != NULL ? strlen(path) : 0;

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (size_t i = 0; path != NULL && i < ARRAY_LEN(dirs); i++) {
		_cleanup_free_ char *dir = str_printf(
			"%s/%s%s%.*s", cg->mount, dirs[i], path[0] == '/' ? "" : "/", (int)len, path
		);

		if (dir == NULL)
			return err_oom(err);
		if (dirs[i][0] != '\0' && refuse_shared(fs, NOBODY, dir, err) < 0)
			return -err->code;
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
	if (refuse_shared(fs, pid, dir, err) < 0
	    || (pages != NULL && refuse_shared(fs, pid, pages, err) < 0))
		return -err->code;
	if (pages != NULL && limit_reservations(pages, host, spec, &lease->grant, err) < 0)
		return -err->code;
	strcpy(lease->cgroup, dir);
	return 0;
}

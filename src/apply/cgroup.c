// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/apply.h"

#include "base/clock.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "host/cgroup.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#define CGROUP_ROOT "sys/fs/cgroup"
#define TOP "pinfold" // all leases but those with a partition, pinfold-NAME, are below it
#define REMOVE_MILLISECONDS 5000 // in each hierarchy

static int remove_left(int parent, const char *name, void *arg)
{
	(void)arg;
	// EBUSY: its last process is just ending, or there is another below it by now
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == EBUSY
		       ? 0
		       : -errno;
}

// From the leaves up, again and again while some are busy.
static int remove_tree(int parent, const char *name)
{
	const int64_t limit = clock_ms() + REMOVE_MILLISECONDS;
	struct host_cgroup_visit v = {.leave = remove_left};

	while (unlinkat(parent, name, AT_REMOVEDIR) < 0) {
		const int64_t now = clock_ms();
		_cleanup_close_ int fd = -1;
		int r;

		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || now >= limit)
			return -errno;
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return errno == ENOENT ? 0 : -errno;
		v.milliseconds = (unsigned)(limit - now);
		r = host_cgroup_visit(fd, &v);
		if (r < 0)
			return r;
		nap_ms(1);
	}
	return 0;
}

// What pinfold makes has fixed names: no search, unless a workload or its runtime left more.
static int remove_usual(int parent, const char *name)
{
	static const char *const below[] = {
		"/" CGROUP_RUNTIME, "/box/c", "/box/work", "/box/keeper", "/box", ""};
	char path[NAME_MAX + 16];

	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		snprintf(path, sizeof(path), "%s%s", name, below[i]);
		if (unlinkat(parent, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int remove_in(int hierarchy, const char *path, void *arg, struct err *err)
{
	bool below_top = str_starts(path, TOP "/");
	const char *name = below_top ? path + strlen(TOP "/") : path;
	_cleanup_close_ int fd =
		fs_open_in(hierarchy, below_top ? TOP : ".", O_PATH | O_DIRECTORY, 0);
	struct statfs st;
	int r;

	(void)arg;
	if ((!below_top && !str_starts(path, TOP "-")) || strchr(name, '/') != NULL)
		return err_set(err, EINVAL, "remove cgroup '%s': it is none of pinfold's", path);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open cgroup '%s'", path);
	// Where no controller is mounted runc makes plain directories and files, on the tmpfs that has the
	// mount points. Other directories beside a hierarchy are somebody's.
	if (!host_is_cgroup(fd)) {
		if (fstatfs(fd, &st) < 0 || st.f_type != TMPFS_MAGIC)
			return 0;
		if (fs_remove_tree(fd, name, err) < 0)
			return -err->code;
		// a mount may come to lie over it, where nobody finds it
		if (below_top)
			unlinkat(hierarchy, TOP, AT_REMOVEDIR);
	} else {
		if (!below_top)
			cgroup_partition_end(fd, name);
		r = remove_usual(fd, name);
		if (r < 0)
			r = remove_tree(fd, name);
		if (r == -ETIME)
			return err_set(
				err,
				ETIME,
				"remove cgroup '%s': %d s are not enough for all below it; go on: "
				"pinfold gc",
				path,
				REMOVE_MILLISECONDS / 1000
			);
		if (r < 0)
			return err_sys(err, -r, "remove cgroup '%s'", path);
	}
	return 0;
}

static int remove_top(int hierarchy, const char *path, void *arg, struct err *err)
{
	(void)path;
	(void)arg;
	(void)err;
	// a lease may still be in it
	unlinkat(hierarchy, TOP, AT_REMOVEDIR);
	return 0;
}

int cgroup_remove_top(const struct hostfs *fs, struct err *err)
{
	char hierarchy[256];

	if (cgroup_hierarchy(fs, hierarchy, sizeof(hierarchy), err) < 0)
		return err->code == ENODEV ? 0 : -err->code;
	return cgroup_each_hierarchy(fs, hierarchy, "", remove_top, NULL, err);
}

// Of v1, where each controller has a hierarchy of its own beside the others.
static int open_parent(const struct hostfs *fs, const char *hierarchy)
{
	_cleanup_free_ char *parent = strdup(hierarchy);
	char *slash = parent != NULL ? strrchr(parent, '/') : NULL;

	if (slash == NULL) {
		errno = parent == NULL ? ENOMEM : EINVAL;
		return -1;
	}
	*slash = '\0';
	return fs_open_in(fs->root, parent, O_RDONLY | O_DIRECTORY, 0);
}

int cgroup_each_hierarchy(
	const struct hostfs *fs,
	const char *hierarchy,
	const char *path,
	cgroup_hierarchy_fn fn,
	void *arg,
	struct err *err
)
{
	_cleanup_close_ int own = fs_open_in(fs->root, hierarchy, O_RDONLY | O_DIRECTORY, 0);
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int fd, r = 0;

	// not by the name of a file: v1 has a tmpfs above, where anybody may have made one
	if (own >= 0 && host_is_cgroup2(own))
		return fn(own, path, arg, err);
	fd = own >= 0 ? open_parent(fs, hierarchy) : -1;
	d = dir_take(fd);
	if (d == NULL)
		return err_sys(err, errno, "open the cgroups at '%s'", hierarchy);
	// "cpu" may be a link to "cpu,cpuacct"
	while ((e = dir_next(d)) != NULL) {
		_cleanup_close_ int h = -1;

		if (e->d_name[0] == '.' || e->d_type != DT_DIR)
			continue;
		h = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (h < 0)
			r = err_sys(err, errno, "open the cgroups at '%s'", hierarchy);
		else if (fn(h, path, arg, err) < 0)
			r = -err->code;
	}
	return errno != 0 ? err_sys(err, errno, "list the cgroups at '%s'", hierarchy) : r;
}

int cgroup_hierarchy(const struct hostfs *fs, char *ret, size_t len, struct err *err)
{
	struct host_cgroup cg = {0};

	host_cgroup_mounts(fs, &cg);
	if (cg.version == HOST_CGROUP_NONE)
		return err_set(err, ENODEV, "look for cgroups: none are mounted");
	snprintf(ret, len, "%s", cg.mount);
	if (cg.version == HOST_CGROUP_V1) {
		const struct host_controller *c = host_cgroup_tracker(&cg);

		snprintf(ret, len, "%s/%s", cg.mount, c != NULL ? host_controller_dir(&cg, c) : "");
	}
	return 0;
}

static bool has(int dir, const char *file)
{
	return file != NULL && faccessat(dir, file, F_OK, 0) == 0;
}

int cgroup_open_box(
	const struct hostfs *fs,
	const char *group,
	const struct cgroup_control *c,
	const char **ret_file
)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, CGROUP_ROOT);

	// v2 is the directory itself, v1 has one for each hierarchy
	for (const char *name = "."; d != NULL && name != NULL; name = hostfs_next(d)) {
		_cleanup_free_ char *path = str_printf("%s/%s/box", name, group);
		_cleanup_close_ int fd =
			path != NULL ? fs_open_in(dirfd(d), path, O_RDONLY | O_DIRECTORY, 0) : -1;

		if (fd >= 0 && (has(fd, c->v2) || has(fd, c->v1))) {
			*ret_file = has(fd, c->v2) ? c->v2 : c->v1;
			return steal_fd(&fd);
		}
	}
	return -1;
}

int cgroup_remove(const struct hostfs *fs, const char *hierarchy, const char *path, struct err *err)
{
	return cgroup_each_hierarchy(fs, hierarchy, path, remove_in, NULL, err);
}

static int refuse_populated(int hierarchy, const char *path, void *arg, struct err *err)
{
	_cleanup_close_ int fd = fs_open_in(hierarchy, path, O_RDONLY | O_DIRECTORY, 0);
	int r;

	(void)arg;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open cgroup '%s'", path);
	if (!host_is_cgroup(fd)) // the numbers in plain files mean nothing
		return 0;
	r = host_cgroup_walk(fd, false, HOST_CGROUP_WALK, NULL, NULL);
	if (r < 0)
		return err_sys(err, -r, "look for processes in cgroup '%s'", path);
	return r > 0 ? err_set(err, EBUSY, "cgroup '%s' has processes", path) : 0;
}

bool cgroup_populated(const struct hostfs *fs, const char *hierarchy, const char *path)
{
	struct err err;

	return cgroup_each_hierarchy(fs, hierarchy, path, refuse_populated, NULL, &err) < 0;
}

static int free_cpus(int hierarchy, const char *path, void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	cgroup_partition_end(hierarchy, path);
	return 0;
}

void cgroup_free_cpus(const struct hostfs *fs, const struct lease *lease)
{
	char hierarchy[sizeof(lease->cgroup)];
	struct err unused;

	if (lease->grant.isolated && lease_hierarchy(lease, hierarchy, sizeof(hierarchy)) == 0)
		cgroup_each_hierarchy(
			fs, hierarchy, lease->cgroup + strlen(hierarchy), free_cpus, NULL, &unused
		);
}

// Writing "0" to cgroup.procs of v1 waits for a grace period of RCU, often 10 ms: the kernel stops all
// forks and exits of the machine, as it would for a process of many threads. A single thread that moves
// itself through "tasks" needs none of that, and here the process has one. v2 has no such file.
static int join(int fd, const char *dir, struct err *err)
{
	const char *file = faccessat(fd, "tasks", F_OK, 0) == 0 ? "tasks" : "cgroup.procs";

	if (fs_write_control(fd, file, "0", err) < 0)
		return err_wrap(err, "join cgroup '%s'", dir);
	return 0;
}

int cgroup_join(const struct hostfs *fs, const char *dir, struct err *err)
{
	_cleanup_close_ int fd = fs_open_in(fs->root, dir, O_PATH | O_DIRECTORY, 0);

	return fd < 0 ? err_sys(err, errno, "open cgroup '%s'", dir) : join(fd, dir, err);
}

// Where nothing is limited there is no box.
static int join_box(int hierarchy, const char *path, void *arg, struct err *err)
{
	_cleanup_free_ char *box = str_printf("%s/box", path);
	_cleanup_close_ int fd = -1;

	(void)arg;
	if (box == NULL)
		return err_oom(err);
	fd = fs_open_in(hierarchy, box, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT)
		fd = fs_open_in(hierarchy, path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno != ENOENT)
		return err_sys(err, errno, "open cgroup '%s'", path);
	return fd < 0 || !host_is_cgroup(fd) ? 0 : join(fd, path, err);
}

static int each_of(
	const struct hostfs *fs, const struct lease *lease, cgroup_hierarchy_fn fn, struct err *err
)
{
	char hierarchy[sizeof(lease->cgroup)];

	if (lease_hierarchy(lease, hierarchy, sizeof(hierarchy)) < 0)
		return err_set(err, EINVAL, "'%s' has no cgroup", lease->grant.name);
	return cgroup_each_hierarchy(
		fs, hierarchy, lease->cgroup + strlen(hierarchy), fn, NULL, err
	);
}

int cgroup_join_box(const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	return each_of(fs, lease, join_box, err);
}

// On v1 the CPUs are in a hierarchy of their own. The one that tells what belongs to a lease has the runtime's.
static int join_cpus(int hierarchy, const char *path, void *arg, struct err *err)
{
	_cleanup_free_ char *box = str_printf("%s/box", path);
	_cleanup_free_ char *runtime = str_printf("%s/" CGROUP_RUNTIME, path);
	_cleanup_close_ int fd = -1, other = -1;

	(void)arg;
	if (box == NULL || runtime == NULL)
		return err_oom(err);
	fd = fs_open_in(hierarchy, box, O_PATH | O_DIRECTORY, 0);
	other = fs_open_in(hierarchy, runtime, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 || other >= 0 || faccessat(fd, "cpuset.cpus", F_OK, 0) < 0)
		return 0;
	return join(fd, box, err);
}

int cgroup_join_beside(const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	_cleanup_free_ char *runtime = str_printf("%s/" CGROUP_RUNTIME, lease->cgroup);

	if (runtime == NULL)
		return err_oom(err);
	if (cgroup_join(fs, runtime, err) < 0)
		return -err->code;
	return each_of(fs, lease, join_cpus, err);
}

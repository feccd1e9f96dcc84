// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which cgroup hierarchies there are: /proc/mounts (proc(5)), /proc/cgroups (cgroups(7)) and
// cgroup.controllers of the version 2 root.

#include "host/cgroup.h"
#include "host/hostfs.h"
#include "host/mounts.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define USUAL_MOUNT "/sys/fs/cgroup"

#define DIR_LEN sizeof(((struct host_cgroup *)0)->dir_cpuset)

const struct host_controller host_controllers[HOST_CONTROLLERS] = {
	{"cpuset", HOST_CG_CPUSET, offsetof(struct host_cgroup, dir_cpuset)},
	{"memory", HOST_CG_MEMORY, offsetof(struct host_cgroup, dir_memory)},
	{"pids", HOST_CG_PIDS, offsetof(struct host_cgroup, dir_pids)},
	{"hugetlb", HOST_CG_HUGETLB, offsetof(struct host_cgroup, dir_hugetlb)},
	{"hugetlb.rsvd", HOST_CG_HUGETLB_RSVD, 0},
	{"devices", HOST_CG_DEVICES, offsetof(struct host_cgroup, dir_devices)},
	{"freezer", HOST_CG_FREEZER, offsetof(struct host_cgroup, dir_freezer)},
	{"cpu", HOST_CG_CPU, offsetof(struct host_cgroup, dir_cpu)},
	{"rdma", HOST_CG_RDMA, offsetof(struct host_cgroup, dir_rdma)},
};

static const struct host_controller *find_controller(const char *name)
{
	for (size_t i = 0; i < HOST_CONTROLLERS; i++) {
		if (str_eq(host_controllers[i].name, name))
			return &host_controllers[i];
	}
	return NULL;
}

const struct host_controller *host_cgroup_tracker(const struct host_cgroup *cg)
{
	static const char *const names[] = {"pids", "freezer", "devices", "memory"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct host_controller *c = find_controller(names[i]);

		if (host_controller_dir(cg, c)[0] != '\0')
			return c;
	}
	return NULL;
}

// A line of /proc/mounts may be stale: something else mounted over it. Only the machine itself can
// tell; a tree of plain files is taken at its word.
static bool is_cgroup_dir(const struct hostfs *fs, const char *path, long magic)
{
	_cleanup_close_ int fd = hostfs_dir(fs->root, path);
	struct statfs st;

	if (fd < 0)
		return false;
	return !fs->real || (fstatfs(fd, &st) == 0 && st.f_type == magic);
}

// One mounted version 1 hierarchy: its controllers are among the mount options. All must have one
// parent directory; the usual one wins, else the first.
static void add_v1(
	const struct hostfs *fs, const char *where, char *options, struct host_cgroup *v1
)
{
	const char *slash = strrchr(where, '/');
	size_t parent = (size_t)(slash - where);
	bool usual = parent == strlen(USUAL_MOUNT) && str_starts(where, USUAL_MOUNT);

	if (parent == 0 || parent >= sizeof(v1->mount) || strlen(slash + 1) >= DIR_LEN
	    || !is_cgroup_dir(fs, where, CGROUP_SUPER_MAGIC))
		return;
	if (v1->mount[0] == '\0' || (usual && !str_eq(v1->mount, USUAL_MOUNT))) {
		*v1 = (struct host_cgroup){.version = HOST_CGROUP_V1};
		memcpy(v1->mount, where, parent);
	}
	if (strlen(v1->mount) != parent || strncmp(v1->mount, where, parent) != 0)
		return;
	str_foreach (o, options, ",") {
		const struct host_controller *c = find_controller(o);

		if (c == NULL)
			continue;
		strcpy((char *)v1 + c->dir, slash + 1);
		v1->controllers |= c->bit;
	}
}

static void add_v2(const struct hostfs *fs, const char *where, struct host_cgroup *v2)
{
	char path[sizeof(v2->mount) + 32], text[1024];

	if (v2->mount[0] != '\0' && !str_eq(where, USUAL_MOUNT))
		return;
	if (strlen(where) >= sizeof(v2->mount) || !is_cgroup_dir(fs, where, CGROUP2_SUPER_MAGIC))
		return;
	*v2 = (struct host_cgroup){.version = HOST_CGROUP_V2};
	strcpy(v2->mount, where);
	snprintf(path, sizeof(path), "%s/cgroup.controllers", where);
	if (hostfs_line(fs->root, path, text, sizeof(text)) < 0)
		return;
	str_foreach (w, text, " ") {
		const struct host_controller *c = find_controller(w);

		if (c != NULL)
			v2->controllers |= c->bit;
	}
}

struct hierarchies {
	const struct hostfs *fs;
	struct host_cgroup *v1, *v2;
};

static void add_mount(const struct mount_line *m, void *arg)
{
	const struct hierarchies *h = arg;

	if (m->where[0] != '/')
		return;
	if (str_eq(m->type, "cgroup"))
		add_v1(h->fs, m->where, m->options, h->v1);
	else if (str_eq(m->type, "cgroup2"))
		add_v2(h->fs, m->where, h->v2);
}

// subsys_name hierarchy num_cgroups enabled
static unsigned read_known(const struct hostfs *fs)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, "proc/cgroups");
	char line[256], name[64];
	unsigned known = 0, enabled;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		const struct host_controller *c;

		if (sscanf(line, "%63s %*u %*u %u", name, &enabled) != 2 || enabled == 0)
			continue;
		c = find_controller(name);
		if (c != NULL)
			known |= c->bit;
	}
	return known;
}

static bool kernel_since(const char *release, unsigned since_major, unsigned since_minor)
{
	unsigned major, minor;

	return sscanf(release, "%u.%u", &major, &minor) == 2
	       && (major > since_major || (major == since_major && minor >= since_minor));
}

// Limits on reservations came with Linux 5.7.
static bool kernel_has_rsvd(const char *release)
{
	return kernel_since(release, 5, 7);
}

// The files that tell are in no cgroup that is there always, hence the release. cpuset.cpus.isolated in
// the root came after remote partitions: a kernel of a distribution may have both earlier.
static enum host_partition partitions(
	const struct hostfs *fs, const struct host_cgroup *v2, const char *release
)
{
	char path[sizeof(v2->mount) + 32], text[64];

	if ((v2->controllers & HOST_CG_CPUSET) == 0)
		return HOST_PARTITION_NONE;
	snprintf(path, sizeof(path), "%s/cpuset.cpus.isolated", v2->mount);
	if (kernel_since(release, 6, 7) || hostfs_line(fs->root, path, text, sizeof(text)) >= 0)
		return HOST_PARTITION_REMOTE;
	return kernel_since(release, 6, 1) ? HOST_PARTITION_LOCAL : HOST_PARTITION_NONE;
}

// On version 1 the files are also in the root.
static bool v1_has_rsvd(const struct hostfs *fs, const struct host_cgroup *v1)
{
	_cleanup_closedir_ DIR *d = NULL;
	char path[sizeof(v1->mount) + DIR_LEN + 1];
	const char *name;

	snprintf(path, sizeof(path), "%s/%s", v1->mount, v1->dir_hugetlb);
	d = hostfs_opendir(fs->root, path);
	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		if (str_starts(name, "hugetlb.") && strstr(name, ".rsvd.limit_in_bytes") != NULL)
			return true;
	}
	return false;
}

void host_cgroup_mounts(const struct hostfs *fs, struct host_cgroup *ret)
{
	struct host_cgroup v1 = {0}, v2 = {0};

	mounts_each(fs, add_mount, &(struct hierarchies){fs, &v1, &v2});
	// a tie without any: an empty version 2 is still what there is
	if (__builtin_popcount(v2.controllers & HOST_CG_LIMITS)
		    > __builtin_popcount(v1.controllers & HOST_CG_LIMITS)
	    || (v2.version != HOST_CGROUP_NONE && v1.controllers == 0))
		*ret = v2;
	else
		*ret = v1;
}

void host_read_cgroup(const struct hostfs *fs, struct host *h)
{
	unsigned known = read_known(fs);
	bool known_rsvd = kernel_has_rsvd(h->release), rsvd = known_rsvd;
	struct host_cgroup *cg = &h->cgroup;

	host_cgroup_mounts(fs, cg);
	if (cg->version == HOST_CGROUP_V2) {
		cg->partition = partitions(fs, cg, h->release);
		cg->controllers |= HOST_CG_FREEZER;
	} else if ((cg->controllers & HOST_CG_HUGETLB) != 0) {
		rsvd = v1_has_rsvd(fs, cg);
	}
	if ((cg->controllers & HOST_CG_HUGETLB) != 0 && rsvd)
		cg->controllers |= HOST_CG_HUGETLB_RSVD;
	cg->known = known | cg->controllers;
	if ((known & HOST_CG_HUGETLB) != 0 && known_rsvd)
		cg->known |= HOST_CG_HUGETLB_RSVD;
}

uint64_t host_cgroup_number(const char *text, const char *key)
{
	size_t n = key != NULL ? strlen(key) : 0;

	if (key == NULL)
		return strtoull(text, NULL, 10);
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
	}
	return HOST_CGROUP_NONE_SAID;
}

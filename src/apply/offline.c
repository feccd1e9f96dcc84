// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// CPUs and NUMA nodes that are taken off the machine while they are granted.
//
// When some of a cgroup's CPUs go offline it stays on the others. When none is left the kernel does not
// stop what is in it, but lets it onto other CPUs, which may be granted to somebody else:
//
//   v2  the cgroup has its parent's effective set, until its own CPUs are back
//   v1  its processes are moved to the parent for good, and its own list has lost the CPUs for good
//
// Nothing keeps the kernel from it, so the workload is frozen (or killed) as soon as it is known. What
// the cgroup says is all the state there is: whoever looks next finds out where things stand.

#include "apply/apply.h"

#include "base/fs.h"
#include "base/scope.h"
#include "host/cgroup.h"
#include "host/hostfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define KILL_MILLISECONDS 5000
#define THAW_MILLISECONDS 5000

enum standing offline_judge(
	const struct idset *granted, const struct idset *online, const struct idset *effective
)
{
	struct idset left = *granted;

	idset_and(&left, online);
	if (idset_equal(&left, granted) && idset_equal(effective, granted))
		return STANDING_WHOLE;
	// the one is told before the other: first the cgroup's set changes, then the machine's
	idset_and(&left, effective);
	return idset_empty(&left) ? STANDING_GONE : STANDING_PART;
}

// ---- the cgroup

static const struct cgroup_control effective_cpus = {
	"cpuset.cpus.effective", "cpuset.effective_cpus"};
static const struct cgroup_control effective_mems = {
	"cpuset.mems.effective", "cpuset.effective_mems"};
static const struct cgroup_control partition = {"cpuset.cpus.partition", NULL};
static const struct cgroup_control frozen_itself = {"cgroup.freeze", "freezer.self_freezing"};
static const struct cgroup_control freezer = {"cgroup.freeze", "freezer.state"};
static const struct cgroup_control freezer_v1 = {NULL, "freezer.state"};

static bool reads_frozen(int box, const char *file)
{
	int v = 0;

	return box >= 0 && hostfs_int(box, file, &v) == 0 && v == 1;
}

static bool is_frozen(const struct hostfs *fs, const char *group)
{
	const char *file;
	_cleanup_close_ int box = cgroup_open_box(fs, group, &frozen_itself, &file);

	return reads_frozen(box, file);
}

// Isolated or not: the box of the grant of that name. -1: there is none, or it has no such control.
static int open_box_of(
	const struct hostfs *fs,
	const char *name,
	const struct cgroup_control *control,
	const char **ret_file
)
{
	struct grant g = {0};

	for (int i = 0; i < 2; i++) {
		_cleanup_free_ char *group = NULL;
		int box;

		snprintf(g.name, sizeof(g.name), "%s", name);
		g.isolated = i == 1;
		group = plan_lease_cgroup(&g);
		box = group != NULL ? cgroup_open_box(fs, group, control, ret_file) : -1;
		if (box >= 0)
			return box;
	}
	return -1;
}

bool offline_frozen(const struct hostfs *fs, const char *name)
{
	const char *file;
	_cleanup_close_ int box = open_box_of(fs, name, &frozen_itself, &file);

	return reads_frozen(box, file);
}

bool offline_cpus(const struct hostfs *fs, const char *name, struct idset *ret)
{
	const char *file;
	_cleanup_close_ int box = open_box_of(fs, name, &effective_cpus, &file);

	return box >= 0 && hostfs_idset(box, file, IDSET_MAX, ret) >= 0;
}

static int set_frozen(const struct hostfs *fs, const char *group, bool frozen, struct err *err)
{
	const char *file;
	_cleanup_close_ int box = cgroup_open_box(fs, group, &freezer, &file);

	if (box < 0)
		return err_set(err, ENOENT, "freeze cgroup '%s': it has no freezer", group);
	if (file == freezer.v2)
		return fs_write_control(box, file, frozen ? "1" : "0", err);
	return fs_write_control(box, file, frozen ? "FROZEN" : "THAWED", err);
}

// Of v1. Where an engine made the cgroups they lie at one path in all hierarchies. A descriptor, -1: there is none.
static int open_freezer(const struct hostfs *fs, const struct lease *lease)
{
	_cleanup_free_ char *group = plan_lease_cgroup(&lease->grant), *path = NULL;
	struct host_cgroup cg = {0};
	const char *file, *below;

	if (group == NULL || site_has(&lease->site, SITE_LEASE))
		return group != NULL ? cgroup_open_box(fs, group, &freezer_v1, &file) : -1;
	host_cgroup_mounts(fs, &cg);
	if (cg.version != HOST_CGROUP_V1 || cg.dir_freezer[0] == '\0'
	    || !str_starts(lease->cgroup, cg.mount) || lease->cgroup[strlen(cg.mount)] != '/')
		return -1;
	below = strchr(lease->cgroup + strlen(cg.mount) + 1, '/');
	if (below == NULL || below[1] == '\0')
		return -1;
	path = str_printf("%s/%s%s", cg.mount, cg.dir_freezer, below);
	return path != NULL ? fs_open_in(fs->root, path, O_RDONLY | O_DIRECTORY, 0) : -1;
}

void offline_hold(const struct hostfs *fs, const struct lease *lease)
{
	_cleanup_close_ int dir = open_freezer(fs, lease);
	struct err unused;

	if (dir >= 0)
		fs_write_control(dir, freezer_v1.v1, "FROZEN", &unused);
}

static int thaw(int dir, void *arg)
{
	struct err unused;

	(void)arg;
	fs_write_control(dir, freezer_v1.v1, "THAWED", &unused);
	return 0;
}

void offline_let_die(const struct hostfs *fs, const struct lease *lease)
{
	const struct host_cgroup_visit v = {.enter = thaw, .milliseconds = THAW_MILLISECONDS};
	_cleanup_close_ int dir = open_freezer(fs, lease);

	if (dir >= 0)
		host_cgroup_visit(dir, &v);
}

// ---- where it stands

// Of the machine: what of its CPUs, and of its nodes with memory, is online.
struct online {
	struct idset cpus, mems;
};

static void read_online(const struct hostfs *fs, const struct lease *lease, struct online *ret)
{
	// what cannot be read says nothing
	if (hostfs_idset(fs->root, "sys/devices/system/cpu/online", IDSET_MAX, &ret->cpus) < 0)
		ret->cpus = grant_all_cpus(&lease->grant);
	if (hostfs_idset(fs->root, "sys/devices/system/node/has_memory", IDSET_MAX, &ret->mems) < 0)
		ret->mems = lease->grant.mems;
}

// One kind of them, and what there is to say about it.
static void look_at(
	const struct hostfs *fs,
	const char *group,
	const struct cgroup_control *control,
	const char *kind,
	const struct idset *granted,
	const struct idset *online,
	struct offline *o
)
{
	const char *file;
	_cleanup_close_ int box = cgroup_open_box(fs, group, control, &file);
	struct idset effective, lost = *granted;
	char ids[IDSET_STR];
	enum standing s;

	if (box < 0 || hostfs_idset(box, file, IDSET_MAX, &effective) < 0)
		return; // there is no such limit (--allow-missing)
	s = offline_judge(granted, online, &effective);
	if (s <= o->standing)
		return;
	o->standing = s;
	idset_andnot(&lost, online);
	if (!idset_empty(&lost)) {
		snprintf(
			o->lost,
			sizeof(o->lost),
			"%s %.64s is offline",
			kind,
			idset_format(&lost, ids, sizeof(ids))
		);
	} else {
		lost = *granted;
		idset_andnot(&lost, &effective);
		snprintf(
			o->lost,
			sizeof(o->lost),
			"%s %.64s was taken from it",
			kind,
			idset_format(idset_empty(&lost) ? &effective : &lost, ids, sizeof(ids))
		);
	}
	snprintf(
		o->left,
		sizeof(o->left),
		"%s %.64s",
		kind,
		idset_format(&effective, ids, sizeof(ids))
	);
}

void offline_look(const struct hostfs *fs, const struct lease *lease, struct offline *ret)
{
	_cleanup_free_ char *group = plan_lease_cgroup(&lease->grant);
	struct idset cpus = grant_all_cpus(&lease->grant);
	struct online online;

	*ret = (struct offline){.standing = STANDING_WHOLE};
	if (group == NULL)
		return;
	read_online(fs, lease, &online);
	look_at(fs, group, &effective_cpus, "CPU", &cpus, &online.cpus, ret);
	look_at(fs, group, &effective_mems, "node", &lease->grant.mems, &online.mems, ret);
	ret->frozen = is_frozen(fs, group);
}

void offline_say(const struct offline *o, char *buf, size_t len)
{
	buf[0] = '\0';
	if (o->killed)
		snprintf(buf, len, "%s: it was killed", o->lost);
	else if (o->frozen && o->standing != STANDING_WHOLE)
		snprintf(buf, len, "%s: it is frozen until that is back", o->lost);
	else if (o->frozen)
		snprintf(buf, len, "it is frozen");
	else if (o->standing == STANDING_GONE)
		snprintf(buf, len, "%s: it may run outside its grant", o->lost);
	else if (o->standing == STANDING_PART)
		snprintf(buf, len, "%s: it has %s", o->lost, o->left);
}

// ---- what is done about it

static void write_list(int dir, const char *below, const char *file, const struct idset *ids)
{
	_cleanup_free_ char *path = str_printf("%s/%s", below, file);
	char text[IDSET_STR];
	struct err unused;

	if (path != NULL && !idset_empty(ids))
		fs_write_control(dir, path, idset_format(ids, text, sizeof(text)), &unused);
}

// The kernel moves processes by number alone: one that ended since the look, and whose number came again within
// microseconds, would be another.
static int move_back(int dir, const int *pids, size_t n, void *arg)
{
	const int *procs = arg;
	struct err unused;

	(void)dir;
	for (size_t i = 0; i < n; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", pids[i]);
		fs_write_control(*procs, "cgroup.procs", text, &unused);
	}
	return 0;
}

// Of v1: what is online again gets into the lists, from the top down, and the processes back into their
// cgroup. Does nothing on v2, where the kernel does it.
static void restore_v1(const struct hostfs *fs, const struct lease *lease, const char *group)
{
	const char *file;
	_cleanup_close_ int box = cgroup_open_box(fs, group, &effective_cpus, &file);
	static const char *const above[] = {"../..", ".."}, *const below[] = {".", "c"};
	_cleanup_close_ int inner = -1, all = -1;
	struct idset cpus = grant_all_cpus(&lease->grant), mems = lease->grant.mems;
	struct online online;

	if (box < 0 || file != effective_cpus.v1)
		return;
	read_online(fs, lease, &online);
	idset_and(&cpus, &online.cpus);
	idset_and(&mems, &online.mems);
	for (size_t i = 0; i < ARRAY_LEN(above); i++) {
		_cleanup_close_ int up = openat(box, above[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		write_list(up, ".", "cpuset.cpus", &online.cpus);
		write_list(up, ".", "cpuset.mems", &online.mems);
	}
	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		write_list(box, below[i], "cpuset.cpus", &cpus);
		write_list(box, below[i], "cpuset.mems", &mems);
	}
	// where the runtime put them
	inner = openat(box, "c", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	all = fs_open_in(fs->root, lease->cgroup, O_RDONLY | O_DIRECTORY, 0);
	if (all >= 0)
		host_cgroup_walk(
			all, true, HOST_CGROUP_WALK, move_back, inner >= 0 ? &inner : &box
		);
}

// The kernel does not always take an isolated partition up again whose CPUs were away.
static void isolate_again(const struct hostfs *fs, const char *group)
{
	const char *file;
	_cleanup_close_ int box = cgroup_open_box(fs, group, &partition, &file);
	_cleanup_close_ int lease =
		box >= 0 ? openat(box, "..", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	const int dirs[] = {lease, box};
	struct err unused;

	for (size_t i = 0; box >= 0 && i < ARRAY_LEN(dirs); i++) {
		char text[256];

		if (hostfs_line(dirs[i], file, text, sizeof(text)) == 0
		    && str_starts(text, "isolated invalid"))
			fs_write_control(dirs[i], file, "isolated", &unused);
	}
}

static void confine(
	const struct hostfs *fs, const struct lease *lease, const char *group, struct offline *o
)
{
	struct ledger l;
	struct err unused;

	if (lease->grant.on_offline == OFFLINE_WARN || o->frozen)
		return;
	o->frozen = lease->grant.on_offline == OFFLINE_FREEZE
		    && set_frozen(fs, group, true, &unused) == 0;
	// also where there is no freezer
	if (!o->frozen && ledger_open(fs, false, &l, &unused) == 0) {
		o->killed = cgroup_kill(&l, lease, false, KILL_MILLISECONDS, &unused) == 0;
		ledger_close(&l);
	}
}

void offline_enforce(const struct hostfs *fs, const struct lease *lease, struct offline *ret)
{
	_cleanup_free_ char *group = plan_lease_cgroup(&lease->grant);
	struct err unused;

	offline_look(fs, lease, ret);
	if (group == NULL || (ret->standing == STANDING_WHOLE && !ret->frozen))
		return;
	// outside first: from here on nothing of it runs where it should not
	if (ret->standing == STANDING_GONE)
		confine(fs, lease, group, ret);
	if (ret->standing != STANDING_WHOLE && !ret->killed) {
		struct offline now;

		restore_v1(fs, lease, group);
		offline_look(fs, lease, &now);
		*ret = now;
	}
	if (ret->standing != STANDING_WHOLE || !ret->frozen)
		return;
	if (lease->grant.isolated)
		isolate_again(fs, group);
	ret->frozen = set_frozen(fs, group, false, &unused) < 0;
}

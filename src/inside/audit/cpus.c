// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// CPUs that were not granted.

#include "inside/audit/audit.h"
#include "inside/files.h"
#include "inside/mounts.h"
#include "inside/probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void judge(const struct audit *a, const struct idset *can, struct finding *f)
{
	char text[IDSET_STR];

	idset_format(can, text, sizeof(text));
	if (!a->given.known)
		fail(f, "CPUs %.200s, and no grant says which are its own", text);
	else if (!idset_subset(can, &a->given.cpus)) {
		struct idset over = *can;

		idset_andnot(&over, &a->given.cpus);
		idset_format(&over, text, sizeof(text));
		fail(f, "it runs on CPUs that are not granted: %.200s", text);
	} else {
		pass(f, "only CPUs %.200s", text);
	}
}

static void affinity(const struct audit *a, struct finding *f)
{
	struct idset can;
	int r = probe_cpus(&can);

	if (r < 0)
		fail(f, "could not be tried: %s", strerror(-r));
	else
		judge(a, &can, f);
}

// A thread starts with the mask of its parent: it asks for all CPUs, then runs on each it got.
static void *thread(void *arg)
{
	struct idset all, *ran = arg;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all.word), (const cpu_set_t *)all.word);
	if (sched_getaffinity(0, sizeof(all.word), (cpu_set_t *)all.word) < 0)
		return NULL;
	idset_foreach (cpu, &all) {
		struct idset one = {0};

		idset_add(&one, (unsigned)cpu);
		if (sched_setaffinity(0, sizeof(one.word), (const cpu_set_t *)one.word) == 0)
			idset_add(ran, (unsigned)sched_getcpu());
	}
	return ran;
}

static void threads(const struct audit *a, struct finding *f)
{
	struct idset ran = {0};
	pthread_t t;
	int r = pthread_create(&t, NULL, thread, &ran);

	if (r == 0)
		pthread_join(t, NULL);
	if (r != 0)
		fail(f, "could not be tried: %s", strerror(r));
	else
		judge(a, &ran, f);
}

static const char *const controls[] = {
	"cgroup.procs",
	"tasks",
	"release_agent",
	"cgroup.subtree_control",
	"cpuset.cpus",
	"cpuset.mems",
	"memory.max",
	"memory.limit_in_bytes",
	"pids.max",
	"devices.allow",
};

static void controls_of(const char *path, unsigned depth, struct names *open_ones)
{
	_cleanup_names_ struct names below = names_of_dir(path, "");

	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		char file[1024];
		int fd;

		snprintf(file, sizeof(file), "%s/%s", path, controls[i]);
		fd = open(file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		close(fd);
		names_add(open_ones, file);
	}
	for (size_t i = 0; depth > 1 && i < below.n; i++) {
		char sub[1024];
		struct stat st;

		snprintf(sub, sizeof(sub), "%s/%s", path, below.v[i]);
		if (lstat(sub, &st) == 0 && S_ISDIR(st.st_mode))
			controls_of(sub, depth - 1, open_ones);
	}
}

struct controls {
	struct names open_ones;
	unsigned mounts;
};

static void one_mount(const struct mntent *m, void *arg)
{
	struct controls *c = arg;

	if (!str_eq(m->mnt_type, "cgroup") && !str_eq(m->mnt_type, "cgroup2"))
		return;
	c->mounts++;
	controls_of(m->mnt_dir, 2, &c->open_ones);
}

static void cgroups(const struct audit *, struct finding *f)
{
	struct controls c = {0};

	own_mounts_each(one_mount, &c);
	if (c.open_ones.n > 0)
		fail(f, "may write %s", name_list(&c.open_ones, 3));
	else if (c.mounts > 0)
		pass(f, "%u cgroup mounts, none can be written", c.mounts);
	else
		pass(f, "no cgroup file system is mounted");
	names_done(&c.open_ones);
}

const struct property audit_cpus[] = {
	{"cpu-affinity", "move a process to each CPU from 0 to 8191", affinity, .machine = true},
	{"cpu-threads", "run a new thread on every CPU", threads, .machine = true},
	{"cgroup-files", "open cgroup control files to write", cgroups},
	{0},
};

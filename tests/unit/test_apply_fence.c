// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is done to directories that a workload sees, in mount namespaces of the test's own: what it publishes, and
// what it is shown of new limits.

#include "fake.h"
#include "mount_rig.h"
#include "scratch.h"

#include "apply/apply.h"
#include "apply/rdma.h"
#include "base/dir.h"
#include "base/scope.h"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>

#define MIB (UINT64_C(1) << 20)
#define NAME "unit-x"
#define TOP PUBLISH_DIR "/" NAME

// ---- the sysfs of another network namespace

static bool alone(const char *path, const char *name)
{
	_cleanup_closedir_ DIR *d = dir_open(AT_FDCWD, path, 0);
	const struct dirent *first = dir_next(d);

	return first != NULL && str_eq(first->d_name, name) && dir_next(d) == NULL;
}

static int other_network(void)
{
	struct step s = {.path = (char *)"/run/sysfs", .value = (char *)"/run/netns"};
	_cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct stat was, now;
	struct err err;

	CHECK(fstat(here, &was) == 0 && mkdir(s.path, 0755) == 0);
	CHECK(!said(apply_sysfs(&s, &err) == 0, &err)); // no such namespace
	CHECK(close(open(s.value, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(mount("/proc/self/ns/net", s.value, NULL, MS_BIND, NULL) == 0);
	CHECK(setns(here, CLONE_NEWNET) == 0);
	CHECK(said(apply_sysfs(&s, &err) == 0, &err));
	CHECK(alone("/run/sysfs/class/net", "lo"));
	CHECK(access("/run/sysfs/devices/virtual/net/lo/mtu", R_OK) == 0);
	CHECK(access("/run/sysfs/devices/virtual/net/lo/mtu", W_OK) < 0 && errno == EROFS);
	CHECK(stat("/proc/self/ns/net", &now) == 0 && now.st_ino == was.st_ino);
	// a device that is nowhere, or a kernel without any
	CHECK(rdma_move(here, here, "unit_0") == -ENODEV);
	return 0;
}

static void sysfs_of_another_network(void **)
{
	in_mount_namespace(other_network);
}

// ---- what is published

static struct step publish_steps[] = {
	{.kind = STEP_PUBLISH,
	 .where = STEP_HOST,
	 .path = (char *)TOP,
	 .value = (char *)"size=1m,nr_inodes=32,mode=0700",
	 .mode = 0710,
	 .gid = 4711},
	{.kind = STEP_DIR,
	 .where = STEP_HOST,
	 .path = (char *)TOP "/app",
	 .value = (char *)"",
	 .mode = 02755,
	 .uid = 70001,
	 .gid = 4711},
};

static int publish(struct err *err)
{
	const struct plan p = {.steps = publish_steps, .nsteps = ARRAY_LEN(publish_steps)};

	return apply_host(&p, false, err);
}

static unsigned mounts_below(const char *place)
{
	FILE *f = fopen("/proc/self/mounts", "r");
	char line[4096];
	unsigned n = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, place) != NULL;
	if (f != NULL)
		fclose(f);
	return n;
}

static int owners_and_modes(void)
{
	struct stat top_st, st;
	struct statvfs fs;
	struct err err;

	CHECK(publish(&err) == 0);
	CHECK(stat(TOP, &top_st) == 0 && stat(TOP "/app", &st) == 0);
	CHECK((top_st.st_mode & 07777) == 0710 && top_st.st_uid == 0 && top_st.st_gid == 4711);
	CHECK((st.st_mode & 07777) == 02755 && st.st_uid == 70001 && st.st_gid == 4711);
	CHECK(statvfs(TOP "/app", &fs) == 0);
	CHECK((fs.f_flag & ST_NOSUID) != 0 && (fs.f_flag & ST_NODEV) != 0
	      && (fs.f_flag & ST_NOEXEC) != 0);
	CHECK(stat(PUBLISH_DIR, &st) == 0 && (st.st_mode & 07777) == 0711);
	return 0;
}

// A file of the group, and as many of them as the tmpfs has room for.
static int bounds(void)
{
	static char block[2 << 20];
	struct err err;
	char path[64];
	struct stat st;
	unsigned n = 0;
	int fd;

	CHECK(publish(&err) == 0);
	fd = open(TOP "/app/big", O_WRONLY | O_CREAT, 0644);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_gid == 4711);
	CHECK(write(fd, block, sizeof(block)) < (ssize_t)sizeof(block));
	close(fd);
	for (; n < 64; n++) {
		snprintf(path, sizeof(path), TOP "/app/%u", n);
		fd = open(path, O_WRONLY | O_CREAT, 0644);
		if (fd < 0)
			break;
		close(fd);
	}
	CHECK(n > 8 && n < 32 && errno == ENOSPC);
	return 0;
}

static int listen_at(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(to.sun_path, path);
	return bind(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 && listen(fd, 1) == 0 ? fd
											     : -1;
}

static int reach(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	strcpy(to.sun_path, path);
	r = connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

// Whatever the container makes there, who goes there from the host comes to nothing of the host's.
static int leads_nowhere(void)
{
	struct err err;

	CHECK(publish(&err) == 0);
	CHECK(listen_at("/run/docker.sock") >= 0 && listen_at(TOP "/app/own") >= 0);
	CHECK(reach(TOP "/app/own") == 0 && reach("/run/docker.sock") == 0);
	CHECK(symlink("/run/docker.sock", TOP "/app/ctl") == 0);
	CHECK(symlink("/run", TOP "/app/dir") == 0);
	CHECK(symlink("/etc/passwd", TOP "/app/file") == 0);
	CHECK(reach(TOP "/app/ctl") == -ELOOP);
	CHECK(reach(TOP "/app/dir/docker.sock") == -ELOOP);
	CHECK(open(TOP "/app/file", O_RDONLY) < 0 && errno == ELOOP);
	CHECK(chmod(TOP "/app/file", 0777) < 0 && errno == ELOOP);
	// one that a mount elsewhere would follow
	CHECK(mkdir("/run/other", 0755) == 0 && mount("unit", "/run/other", "tmpfs", 0, NULL) == 0);
	CHECK(symlink("/run/docker.sock", "/run/other/ctl") == 0 && reach("/run/other/ctl") == 0);
	return 0;
}

// Only who passes the directory of root's comes to what is in it.
static int of_others(void)
{
	struct err err;
	int status;
	pid_t pid;

	CHECK(publish(&err) == 0 && listen_at(TOP "/app/own") >= 0);
	CHECK(chmod(TOP "/app", 0777) == 0 && chmod(TOP "/app/own", 0777) == 0);
	for (int member = 0; member < 2; member++) {
		pid = fork();
		if (pid == 0) {
			const gid_t group = 4711;

			if (setgroups(member == 1 ? 1 : 0, &group) < 0 || setgid(64000) < 0
			    || setuid(64000) < 0)
				_exit(2);
			_exit(reach(TOP "/app/own") == 0 ? 1 : 0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status)
		      && WEXITSTATUS(status) == member);
	}
	return 0;
}

static int taken_back(void)
{
	struct err err;
	struct lease lease = {.grant = {.name = NAME}};
	struct ledger l = {.leases = -1, .defs = -1, .lock = -1};

	CHECK(publish(&err) == 0 && mounts_below(TOP) == 1);
	CHECK(open(TOP "/app/held", O_WRONLY | O_CREAT, 0644) >= 0); // and held
	// another one of that name has nothing of the former
	CHECK(publish(&err) == 0 && mounts_below(TOP) == 1);
	CHECK(access(TOP "/app/held", F_OK) < 0);
	CHECK(lease_note(&lease, "publish", TOP, &err) == 0);
	CHECK(undo_lease(&l, &lease, UNDO_FILES, &err) == 0);
	CHECK(mounts_below(TOP) == 0 && access(TOP, F_OK) < 0);
	CHECK(undo_lease(&l, &lease, UNDO_FILES, &err) == 0);
	// killed before it was mounted
	CHECK(mkdir(TOP, 0700) == 0 && publish_end(TOP, &err) == 0 && access(TOP, F_OK) < 0);
	return 0;
}

static void published_modes(void **)
{
	in_mount_namespace(owners_and_modes);
}

static void published_bounds(void **)
{
	in_mount_namespace(bounds);
}

static void published_links(void **)
{
	in_mount_namespace(leads_nowhere);
}

static void published_for_others(void **)
{
	in_mount_namespace(of_others);
}

static void published_undo(void **)
{
	in_mount_namespace(taken_back);
}

// ---- new limits

static void put(const char *path, const char *text)
{
	_cleanup_free_ char *full = str_printf("%s/%s", top, path);
	FILE *f;

	for (char *s = strchr(full + strlen(top) + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdir(full, 0755);
		*s = '/';
	}
	f = fopen(full, "w");
	if (f != NULL) {
		fputs(text, f);
		fclose(f);
	}
}

// Also through the link to the root of another process.
static char *get(const char *path)
{
	char *text = calloc(1, 1 << 16);
	FILE *f = fopen(path, "r");

	if (f != NULL) {
		if (fread(text, 1, (1 << 16) - 1, f) == 0)
			text[0] = '\0';
		fclose(f);
	}
	return text;
}

// Says that it is ready; waits to be killed.
static pid_t wait_in(int (*begin)(void))
{
	int ready[2];
	char c;
	pid_t pid;

	if (pipe(ready) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (begin() < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

// What a runtime has around it: a fence of the workload's own.
static int begin_runtime(void)
{
	static const char *const dirs[] = {
		"/own",
		"/view",
		"/view/proc",
		"/view/sys",
		"/view/sys/devices",
		"/view/sys/devices/system",
		"/view/sys/devices/system/node",
		"/view/sys/devices/system/node/node0",
	};
	static const char *const files[] = {
		"/view/proc/meminfo", "/view/sys/devices/system/node/node0/meminfo"};
	FILE *f;

	if (unshare(CLONE_NEWNS) < 0 || (mkdir(RUN_DIR, 0711) < 0 && errno != EEXIST)
	    || (mkdir(FENCE_DIR, 0711) < 0 && errno != EEXIST)
	    || mount("unit", FENCE_DIR, "tmpfs", 0, NULL) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char path[96];

		snprintf(path, sizeof(path), FENCE_DIR "%s", dirs[i]);
		mkdir(path, 0755);
	}
	f = fopen(FENCE_DIR "/own/grant.json", "w");
	fprintf(f, "%2000s", "former");
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[96];

		snprintf(path, sizeof(path), FENCE_DIR "%s", files[i]);
		f = fopen(path, "w");
		fputs("former", f);
		fclose(f);
	}
	return 0;
}

#define PROCESSES 74 // of a grant of 10, with those to spare (plan/rights.c)

static int begin_program(void)
{
	const struct rlimit l = {PROCESSES, PROCESSES}, other = {7, 8};

	return setrlimit(RLIMIT_NPROC, &l) < 0 || setrlimit(RLIMIT_SIGPENDING, &other) < 0 ? -1 : 0;
}

// Root may lack the right, in a container for one; what there was is enough here.
static rlim_t expected(void)
{
	return prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1 ? PROCESSES + 10 : PROCESSES;
}

static void prepare_change(const char *kind, struct host *h, struct lease *lease)
{
	const struct holdings nobody = {0};

	fake_read(kind, h);
	fake_grant(
		h, &nobody, "name=" NAME " cpus=1 hugepages=2M=4 memory=64M pids=10", &lease->grant
	);
	snprintf(h->cgroup.mount, sizeof(h->cgroup.mount), "%s/cg", top);
	lease->site = fake_site(PLACE_CONTAINER);
	lease->started = 4711;
	snprintf(lease->cgroup, sizeof(lease->cgroup), "%s/cg/pinfold/" NAME, top);
	put("cg/pinfold/" NAME "/box/memory.max", "0");
	put("cg/pinfold/" NAME "/box/c/memory.max", "0");
	put("cg/pinfold/" NAME "/box/pids.max", "0");
	put("cg/pinfold/" NAME "/super/cgroup.procs", "");
	put("etc/x", "");
	put("run/x", "");
}

static bool begins(const char *path, const char *text)
{
	_cleanup_free_ char *full = str_printf("%s/cg/pinfold/" NAME "/%s", top, path);
	_cleanup_free_ char *found = get(full);

	return strncmp(found, text, strlen(text)) == 0;
}

static bool shows(pid_t runtime, const char *file, const char *text)
{
	_cleanup_free_ char *full = str_printf("/proc/%d/root" FENCE_DIR "/%s", (int)runtime, file);
	_cleanup_free_ char *found = get(full);

	return strstr(found, text) != NULL;
}

// All of it, of a container that is made of two processes and of plain files.
static int carried_out(void)
{
	struct lease lease = {0};
	struct ledger l;
	struct host h;
	struct hostfs fs;
	struct rlimit now;
	struct err err;
	char pids[32];
	pid_t runtime = wait_in(begin_runtime), program = wait_in(begin_program);

	CHECK(runtime > 0 && program > 0);
	prepare_change("two-v2", &h, &lease);
	snprintf(pids, sizeof(pids), "%d\n", (int)runtime);
	put("cg/pinfold/" NAME "/super/cgroup.procs", pids);
	snprintf(pids, sizeof(pids), "%d\n", (int)program);
	put("cg/pinfold/" NAME "/box/c/cgroup.procs", pids);
	CHECK(hostfs_open(top, &fs, &err) == 0 && ledger_open(&fs, true, &l, &err) == 0);
	CHECK(hostfs_open("/", &l.fs, &err) == 0);
	lease.updating = (struct grant_change){128 * MIB, 20};
	lease.defined = true;
	CHECK(lease_write(&l, &lease, &err) == 0 && definition_write(&l, &lease.grant, &err) == 0);
	CHECK(said(change_carry_out(&l, &lease, &h, &err) == 0, &err));
	CHECK(begins("box/memory.max", "134217728") && begins("box/c/memory.max", "134217728"));
	CHECK(begins("box/pids.max", "21"));
	// of the processes what they had of it, and not what they have set for themselves
	CHECK(prlimit(program, RLIMIT_NPROC, NULL, &now) == 0);
	CHECK(now.rlim_cur == expected() && now.rlim_max == expected());
	CHECK(prlimit(program, RLIMIT_SIGPENDING, NULL, &now) == 0 && now.rlim_max == 8);
	// in the namespace of the runtime, and not here
	CHECK(shows(runtime, "view/proc/meminfo", "MemFree:          131072 kB"));
	CHECK(shows(runtime, "own/grant.json", "\"memory\": \"128M\""));
	CHECK(!shows(runtime, "own/grant.json", "former"));
	CHECK(access(FENCE_DIR "/own/grant.json", F_OK) < 0);
	CHECK(definition_read(&l, NAME, &lease.grant, &err) == 0);
	CHECK(lease.grant.memory == 128 * MIB && lease.grant.pids == 20);
	kill(runtime, SIGKILL);
	kill(program, SIGKILL);
	return 0;
}

// A file that cannot be written over fails it, and who takes it back is told.
static int cannot_be_shown(void)
{
	struct lease lease = {0};
	struct ledger l;
	struct host h;
	struct hostfs fs;
	struct err err;
	char pids[32], path[96];
	pid_t runtime = wait_in(begin_runtime);

	CHECK(runtime > 0);
	prepare_change("two-v2", &h, &lease);
	snprintf(pids, sizeof(pids), "%d\n", (int)runtime);
	put("cg/pinfold/" NAME "/super/cgroup.procs", pids);
	snprintf(path, sizeof(path), "/proc/%d/root" FENCE_DIR "/view/proc/meminfo", (int)runtime);
	CHECK(unlink(path) == 0);
	CHECK(hostfs_open(top, &fs, &err) == 0 && ledger_open(&fs, true, &l, &err) == 0);
	CHECK(hostfs_open("/", &l.fs, &err) == 0);
	lease.updating = (struct grant_change){128 * MIB, 10};
	CHECK(lease_write(&l, &lease, &err) == 0);
	CHECK(change_carry_out(&l, &lease, &h, &err) < 0);
	CHECK(said(strstr(err.msg, "view/proc/meminfo") != NULL, &err));
	kill(runtime, SIGKILL);
	return 0;
}

static void change_is_carried_out(void **)
{
	in_mount_namespace(carried_out);
}

static void change_that_cannot_be_shown(void **)
{
	in_mount_namespace(cannot_be_shown);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sysfs_of_another_network),
		cmocka_unit_test(published_modes),
		cmocka_unit_test(published_bounds),
		cmocka_unit_test(published_links),
		cmocka_unit_test(published_for_others),
		cmocka_unit_test(published_undo),
		EACH(change_is_carried_out),
		EACH(change_that_cannot_be_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

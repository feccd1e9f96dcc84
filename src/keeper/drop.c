// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// From root to the owner of a grant: what the process that becomes a keeper leaves behind.
//
// Nothing of who started it stays: limits, keys, priorities. And what the kernel counts for a user it
// counts, in a user namespace, also for the one who made that: neither for root nor for the owner, whose
// own programs would find it taken, but for an id that nobody has. Whoever had it could enter.

#include "keeper/drop.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "plan/plan.h"
#include "run/run.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define OTHERS 256u // processes beside those of the grant: the reserve's, and what is just ending

// ---- limits

// Of the keeper and, where its containers have no other, of them.
static const struct limit {
	int resource;
	const char *name;
	rlim_t soft, hard;
} limits[] = {
	{RLIMIT_AS, "RLIMIT_AS", RLIM_INFINITY, RLIM_INFINITY},
	{RLIMIT_CORE, "RLIMIT_CORE", 1, 1}, // 0 would not keep a dump from a pipe
	{RLIMIT_CPU, "RLIMIT_CPU", RLIM_INFINITY, RLIM_INFINITY},
	{RLIMIT_DATA, "RLIMIT_DATA", RLIM_INFINITY, RLIM_INFINITY},
	{RLIMIT_FSIZE, "RLIMIT_FSIZE", RLIM_INFINITY, RLIM_INFINITY},
	{RLIMIT_LOCKS, "RLIMIT_LOCKS", RLIM_INFINITY, RLIM_INFINITY},
	{RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", 8 << 20, 8 << 20},
	{RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE", 819200, 819200},
	{RLIMIT_NICE, "RLIMIT_NICE", 0, 0},
	{RLIMIT_NOFILE, "RLIMIT_NOFILE", 1 << 16, 1 << 16},
	{RLIMIT_NPROC, "RLIMIT_NPROC", OTHERS, OTHERS}, // and the grant's
	{RLIMIT_RSS, "RLIMIT_RSS", RLIM_INFINITY, RLIM_INFINITY},
	{RLIMIT_RTPRIO, "RLIMIT_RTPRIO", 0, 0},
	{RLIMIT_RTTIME, "RLIMIT_RTTIME", RLIM_INFINITY, RLIM_INFINITY},
	{RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING", 1 << 14, 1 << 14},
	{RLIMIT_STACK, "RLIMIT_STACK", 8 << 20, RLIM_INFINITY},
};

// What a container has the keeper must have, which may not raise a limit for it.
static void raise_to(
	struct rlimit *l, int resource, const struct right_limit *containers, unsigned n
)
{
	for (unsigned i = 0; i < n; i++) {
		if (containers[i].resource != resource || containers[i].hard <= l->rlim_max)
			continue;
		l->rlim_cur = l->rlim_cur == l->rlim_max ? containers[i].hard : l->rlim_cur;
		l->rlim_max = containers[i].hard;
	}
}

static int set_limits(const struct grant *g, const struct host_limits *host, struct err *err)
{
	struct right_limit containers[HOST_RLIMITS];
	unsigned n = plan_rlimits(g, host, 0, containers);

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rlimit want = {limits[i].soft, limits[i].hard}, now;

		if (limits[i].resource == RLIMIT_NPROC)
			want.rlim_cur = want.rlim_max += g->pids;
		raise_to(&want, limits[i].resource, containers, n);
		if (setrlimit(limits[i].resource, &want) == 0)
			continue;
		// not every root may raise them
		if (errno != EPERM || getrlimit(limits[i].resource, &now) < 0)
			return err_sys(err, errno, "set %s", limits[i].name);
		now.rlim_cur = want.rlim_cur < now.rlim_max ? want.rlim_cur : now.rlim_max;
		if (setrlimit(limits[i].resource, &now) < 0)
			return err_sys(err, errno, "set %s", limits[i].name);
	}
	return 0;
}

// ---- the rest that is inherited

static int reset(struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	return run_give_up_priorities(err);
}

// It is root's, as the owner may have as many keys as he can.
int drop_keys(struct err *err)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return err_sys(err, errno, "make a session keyring");
	return 0;
}

int drop_inherited(const struct grant *g, const struct host_limits *host, struct err *err)
{
	return reset(err) < 0 || set_limits(g, host, err) < 0 ? -err->code : 0;
}

// ---- the user namespace

// Of all that the keeper starts together. A container needs one of each namespace; those of the last are
// freed with delay.
static const struct {
	const char *name, *value;
} counts[] = {
	{"max_cgroup_namespaces", "64"},
	{"max_fanotify_groups", "0"},
	{"max_fanotify_marks", "0"},
	{"max_inotify_instances", "128"},
	{"max_inotify_watches", "65536"},
	{"max_ipc_namespaces", "64"},
	{"max_mnt_namespaces", "64"},
	{"max_net_namespaces", "64"},
	{"max_pid_namespaces", "64"},
	{"max_time_namespaces", "64"},
	{"max_user_namespaces", "64"},
	{"max_uts_namespaces", "64"},
};

int drop_root(uint32_t namespace_owner, struct err *err)
{
	// the namespace takes its limits of pending signals, queues, locked memory and processes from here
	// capabilities are kept until then: some kernels let nobody without them make a namespace
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0
	    || setresuid(namespace_owner, namespace_owner, (uid_t)-1) < 0)
		return err_sys(err, errno, "become user %u", namespace_owner);
	if (unshare(CLONE_NEWUSER) < 0)
		return err_sys(err, errno, "make a user namespace");
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		char file[64];

		snprintf(file, sizeof(file), "/proc/sys/user/%s", counts[i].name);
		fs_write_value(file, counts[i].value);
	}
	return 0;
}

// ---- capabilities, and the owner

// What making namespaces, mounts and containers takes. In a user namespace each of them counts for
// what belongs to it alone; the rest is not needed even there.
static const int needed[] = {
	CAP_CHOWN,
	CAP_DAC_OVERRIDE,
	CAP_DAC_READ_SEARCH,
	CAP_FOWNER,
	CAP_FSETID,
	CAP_KILL,
	CAP_SETGID,
	CAP_SETPCAP,
	CAP_SETUID,
	CAP_SYS_ADMIN,
	CAP_SYS_CHROOT,
	CAP_SYS_PTRACE,
};

int drop_capabilities(uint64_t keep, struct err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	for (int cap = 0, has; cap < 64 && (has = prctl(PR_CAPBSET_READ, cap)) >= 0; cap++) {
		// what is gone already nobody has to have the right to drop
		if (has > 0 && (keep >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap) < 0)
			return err_sys(err, errno, "drop capability %d", cap);
	}
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(keep >> (32 * i));
	if (syscall(SYS_capset, &head, data) < 0)
		return err_sys(err, errno, "drop capabilities");
	return 0;
}

int drop_to_owner(struct err *err)
{
	uint64_t keep = 0;

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		keep |= UINT64_C(1) << needed[i];
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(err, errno, "take the ids of the owner");
	if (drop_capabilities(keep, err) < 0)
		return -err->code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "set no_new_privs");
	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		return err_sys(err, errno, "make namespaces");
	return 0;
}

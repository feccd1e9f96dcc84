// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The system calls of a DPDK program. Whatever is not listed fails with EPERM; calls of another
// architecture (the 32-bit table, x32) kill the caller.

#include "plan/plan.h"

#include "base/scope.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/socket.h>

// Allowed without a look at the arguments, by purpose.
static const char *const files[] = {
	"access",
	"chdir",
	"chmod",
	"chown",
	"close",
	"close_range",
	"copy_file_range",
	"creat",
	"dup",
	"dup2",
	"dup3",
	"faccessat",
	"faccessat2",
	"fadvise64",
	"fallocate",
	"fchdir",
	"fchmod",
	"fchmodat",
	"fchown",
	"fchownat",
	"fcntl",
	"fdatasync",
	"fgetxattr",
	"flock",
	"fstat",
	"fstatfs",
	"fsync",
	"ftruncate",
	"getcwd",
	"getdents",
	"getdents64",
	"getxattr",
	"inotify_add_watch",
	"inotify_init",
	"inotify_init1",
	"inotify_rm_watch",
	"lchown",
	"lgetxattr",
	"link",
	"linkat",
	"listxattr",
	"llistxattr",
	"lseek",
	"lstat",
	"mkdir",
	"mkdirat",
	"newfstatat",
	"open",
	"openat",
	"openat2",
	"pipe",
	"pipe2",
	"pread64",
	"preadv",
	"preadv2",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"read",
	"readahead",
	"readlink",
	"readlinkat",
	"readv",
	"rename",
	"renameat",
	"renameat2",
	"rmdir",
	"sendfile",
	"splice",
	"stat",
	"statfs",
	"statx",
	"symlink",
	"symlinkat",
	"sync",
	"sync_file_range",
	"syncfs",
	"tee",
	"truncate",
	"umask",
	"unlink",
	"unlinkat",
	"utime",
	"utimensat",
	"utimes",
	"write",
	"writev",
	NULL,
};

static const char *const memory[] = {
	"brk",	    "madvise",	  "membarrier", "memfd_create",	 "mincore", "mlock",   "mlock2",
	"mlockall", "mmap",	  "mprotect",	"mremap",	 "msync",   "munlock", "munlockall",
	"munmap",   "pkey_alloc", "pkey_free",	"pkey_mprotect", NULL,
};

// EAL places its hugepages with these; cpuset.mems confines them. Docker's default profile refuses
// them, so EAL does not start there.
static const char *const numa[] = {
	"get_mempolicy",
	"set_mempolicy",
	"set_mempolicy_home_node",
	"getcpu",
	NULL,
};

static const char *const processes[] = {
	"_sysctl",
	"arch_prctl",
	"capget",
	"capset",
	"execve",
	"execveat",
	"exit",
	"exit_group",
	"fork",
	"futex",
	"futex_waitv",
	"get_robust_list",
	"get_thread_area",
	"getegid",
	"geteuid",
	"getgid",
	"getgroups",
	"getitimer",
	"getpgid",
	"getpgrp",
	"getpid",
	"getppid",
	"getpriority",
	"getrandom",
	"getresgid",
	"getresuid",
	"getrlimit",
	"getrusage",
	"getsid",
	"gettid",
	"getuid",
	"ioprio_get",
	"kill",
	"pause",
	"pidfd_open",
	"pidfd_send_signal",
	"prctl",
	"prlimit64",
	"restart_syscall",
	"rseq",
	"rt_sigaction",
	"rt_sigpending",
	"rt_sigprocmask",
	"rt_sigqueueinfo",
	"rt_sigreturn",
	"rt_sigsuspend",
	"rt_sigtimedwait",
	"rt_tgsigqueueinfo",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"sched_getaffinity",
	"sched_getattr",
	"sched_getparam",
	"sched_getscheduler",
	"sched_rr_get_interval",
	"sched_setaffinity",
	"sched_setattr",
	"sched_setparam",
	"sched_setscheduler",
	"sched_yield",
	"set_robust_list",
	"set_thread_area",
	"set_tid_address",
	"setfsgid",
	"setfsuid",
	"setgid",
	"setgroups",
	"setitimer",
	"setpgid",
	"setpriority",
	"setregid",
	"setresgid",
	"setresuid",
	"setreuid",
	"setrlimit",
	"setsid",
	"setuid",
	"sigaltstack",
	"sysinfo",
	"tgkill",
	"times",
	"tkill",
	"uname",
	"vfork",
	"wait4",
	"waitid",
	NULL,
};

static const char *const time_and_events[] = {
	"alarm",
	"clock_getres",
	"clock_gettime",
	"clock_nanosleep",
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_ctl_old",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"epoll_wait_old",
	"eventfd",
	"eventfd2",
	"gettimeofday",
	"nanosleep",
	"poll",
	"ppoll",
	"pselect6",
	"select",
	"signalfd",
	"signalfd4",
	"time",
	"timer_create",
	"timer_delete",
	"timer_getoverrun",
	"timer_gettime",
	"timer_settime",
	"timerfd_create",
	"timerfd_gettime",
	"timerfd_settime",
	NULL,
};

static const char *const sockets[] = {
	"accept",
	"accept4",
	"bind",
	"connect",
	"getpeername",
	"getsockname",
	"getsockopt",
	"listen",
	"recvfrom",
	"recvmmsg",
	"recvmsg",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"setsockopt",
	"shutdown",
	"socketpair",
	NULL,
};

// Asynchronous I/O and System V memory: the IPC namespace is the container's own.
static const char *const ipc[] = {
	"io_cancel",	"io_destroy",	 "io_getevents", "io_setup", "io_submit",
	"ioctl",	"mq_getsetattr", "mq_notify",	 "mq_open",  "mq_timedreceive",
	"mq_timedsend", "mq_unlink",	 "msgctl",	 "msgget",   "msgrcv",
	"msgsnd",	"semctl",	 "semget",	 "semop",    "semtimedop",
	"shmat",	"shmctl",	 "shmdt",	 "shmget",   NULL,
};

static const char *const *const groups[] = {
	files,
	memory,
	numa,
	processes,
	time_and_events,
	sockets,
	ipc,
};

// Socket families. Packet and raw sockets want a capability too; vsock would reach the hypervisor
// past the network namespace, and AF_ALG is kernel surface that no data plane needs.
static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

#define MPOL_MF_MOVE_ALL 4 // <linux/mempolicy.h>: move pages of other processes

static json_t *names_of(const char *const *list)
{
	json_t *names = json_array();

	for (; *list != NULL; list++)
		json_array_append_new(names, json_string(*list));
	return names;
}

// One rule with one condition on one argument. op: as the OCI runtime specification names it.
static json_t *rule(
	const char *call, unsigned arg, const char *op, uint64_t value, uint64_t value_two
)
{
	return json_pack(
		"{s:[s], s:s, s:[{s:i, s:I, s:I, s:s}]}",
		"names",
		call,
		"action",
		"SCMP_ACT_ALLOW",
		"args",
		"index",
		(int)arg,
		"value",
		(json_int_t)value,
		"valueTwo",
		(json_int_t)value_two,
		"op",
		op
	);
}

json_t *seccomp_to_oci(void)
{
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC
				    | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME;
	json_t *calls = json_array();

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		json_array_append_new(
			calls,
			json_pack(
				"{s:o, s:s}",
				"names",
				names_of(groups[i]),
				"action",
				"SCMP_ACT_ALLOW"
			)
		);
	// threads and processes, no namespaces
	json_array_append_new(calls, rule("clone", 0, "SCMP_CMP_MASKED_EQ", namespaces, 0));
	// its flags lie in memory, where no filter sees them: say "not there", and libc uses clone
	json_array_append_new(
		calls,
		json_pack(
			"{s:[s], s:s, s:i}",
			"names",
			"clone3",
			"action",
			"SCMP_ACT_ERRNO",
			"errnoRet",
			ENOSYS
		)
	);
	json_array_append_new(calls, rule("mbind", 5, "SCMP_CMP_MASKED_EQ", MPOL_MF_MOVE_ALL, 0));
	// of its own process only
	json_array_append_new(calls, rule("move_pages", 0, "SCMP_CMP_EQ", 0, 0));
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		json_array_append_new(
			calls, rule("socket", 0, "SCMP_CMP_EQ", (uint64_t)families[i], 0)
		);
	return json_pack(
		"{s:s, s:i, s:[s], s:o}",
		"defaultAction",
		"SCMP_ACT_ERRNO",
		"defaultErrnoRet",
		EPERM,
		"architectures",
		"SCMP_ARCH_X86_64",
		"syscalls",
		calls
	);
}

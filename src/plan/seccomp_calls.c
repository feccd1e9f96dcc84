// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The system calls of a DPDK program, each with what it is needed for. This table is the only place:
// the filter, pinfold seccomp show and docs/seccomp.md are made from it.

#include "plan/seccomp.h"

#include "base/scope.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#if !defined(__x86_64__)
#error "the table of system calls is for x86-64: another processor needs one that was checked there"
#endif

#define NAMESPACES                                                                   \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER \
	 | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

static const struct seccomp_row files[] = {
	{"close close_range", "giving descriptors back"},
	{"read pread64 readv preadv preadv2", "reading files, pipes, events and interrupts"},
	{"write pwrite64 writev pwritev pwritev2", "writing logs, sockets, captures and events"},
	{"lseek", "PCI configuration space and captures are read at offsets"},
	{"sendfile splice tee copy_file_range readahead fadvise64",
	 "copying files and captures without a detour"},
	{"dup dup2 dup3", "copies of descriptors"},
	{"flock", "EAL locks its hugepages and its runtime directory with it"},
	{"stat fstat lstat newfstatat statx access faccessat faccessat2",
	 "looking for files and what they are"},
	{"statfs fstatfs", "telling a hugetlbfs from other file systems"},
	{"readlink readlinkat", "links of /sys: the driver and the IOMMU group of a device"},
	{"getdents getdents64", "EAL lists /sys, its hugepages and its runtime directory"},
	{"getcwd chdir fchdir umask", "the working directory and the mode of new files"},
	{"mkdir mkdirat rmdir", "EAL's runtime directory; the kernel makes none with a set-id bit"},
	{"unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat",
	 "hugepage files and sockets that are made anew; logs that are rotated"},
	{"chown fchown fchownat lchown", "an owner is changed only with --cap CHOWN"},
	{"utime utimes utimensat", "times of files (logs, tar)"},
	{"truncate ftruncate fallocate", "the size of a hugepage file or of a shared memory"},
	{"fsync fdatasync syncfs sync_file_range msync", "captures and logs that are on disk"},
	{"getxattr lgetxattr fgetxattr listxattr llistxattr",
	 "ls and cp look at attributes; none is set"},
	{"inotify_init inotify_init1 inotify_add_watch inotify_rm_watch",
	 "daemons that read their configuration again; tail -f"},
	{"pipe pipe2", "EAL's threads are started and woken over pipes"},
	{NULL, NULL},
};

static const struct seccomp_row memory[] = {
	{"mmap munmap mremap mprotect brk",
	 "all memory: hugepages, libraries, heaps, device registers"},
	{"mincore", "EAL looks for free addresses"},
	{"mlock mlock2 mlockall munlock munlockall",
	 "memory that is never paged out, within RLIMIT_MEMLOCK"},
	{"memfd_create",
	 "hugepages and shared memory without a file (--in-memory, vhost-user, memif)"},
	{"membarrier", "EAL and liburcu order memory between threads with it"},
	{"pkey_alloc pkey_free pkey_mprotect", "memory protection keys of one's own pages"},
	{NULL, NULL},
};

static const struct seccomp_row numa[] = {
	{"get_mempolicy set_mempolicy",
	 "EAL places its hugepages with libnuma; the nodes it may take are in cpuset.mems"},
	{"getcpu", "which CPU and node a thread runs on"},
	{NULL, NULL},
};

static const struct seccomp_row processes[] = {
	{"execve execveat",
	 "starting programs; no_new_privs keeps set-id bits from having an effect"},
	{"fork vfork", "processes as programs of old make them; clone makes threads"},
	{"exit exit_group wait4 waitid", "ends, and waiting for them"},
	{"arch_prctl set_tid_address set_robust_list get_robust_list rseq restart_syscall",
	 "what the C library sets up for each thread"},
	{"futex futex_waitv", "locks and condition variables"},
	{"kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal",
	 "signals to processes of the container: there are no others in its PID namespace"},
	{"rt_sigaction rt_sigprocmask rt_sigpending rt_sigsuspend rt_sigtimedwait rt_sigreturn "
	 "sigaltstack pause",
	 "handling of signals"},
	{"getpid getppid gettid getpgid getpgrp getsid setpgid setsid",
	 "process numbers, groups, jobs"},
	{"getuid geteuid getgid getegid getresuid getresgid getgroups", "who it is"},
	{"setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups",
	 "daemons that give up rights; to others they change only with --cap SETUID and SETGID"},
	{"capget capset", "daemons that give up capabilities; more than it has it does not get"},
	{"getrlimit", "EAL and daemons look at limits"},
	{"getrusage times sysinfo uname getrandom",
	 "time used, memory, kernel release, random numbers"},
	{"getpriority setpriority ioprio_get", "nice values within RLIMIT_NICE"},
	{"sched_yield sched_getaffinity sched_setaffinity",
	 "each lcore is a thread on one CPU; cpuset.cpus says which ones there are"},
	{"sched_getscheduler sched_setscheduler sched_getparam sched_setparam sched_getattr "
	 "sched_setattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval",
	 "classes of scheduling; real time only with --cap SYS_NICE, by RLIMIT_RTPRIO"},
	{NULL, NULL},
};

static const struct seccomp_row events[] = {
	{"clock_gettime clock_getres gettimeofday time", "clocks, where the vDSO cannot answer"},
	{"nanosleep clock_nanosleep alarm getitimer setitimer", "sleeping and timers"},
	{"timer_create timer_delete timer_settime timer_gettime timer_getoverrun timerfd_create "
	 "timerfd_settime timerfd_gettime",
	 "timers; EAL's alarms are a timerfd"},
	{"epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2",
	 "EAL's interrupt thread waits with epoll"},
	{"poll ppoll select pselect6", "waiting for sockets and terminals"},
	{"eventfd eventfd2 signalfd signalfd4",
	 "interrupts of VFIO, kicks of vhost, signals as files"},
	{NULL, NULL},
};

static const struct seccomp_row sockets[] = {
	{"bind listen connect accept accept4 shutdown",
	 "telemetry, multi-process and memif over Unix sockets; the network is the container's "
	 "own"},
	{"sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg",
	 "what goes over them, descriptors too"},
	{"getsockname getpeername getsockopt", "options and names of sockets"},
	{NULL, NULL},
};

static const struct seccomp_row ipc[] = {
	{"shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl",
	 "System V memory, semaphores and queues"},
	{"mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr", "POSIX message queues"},
	{NULL, NULL},
};

static const struct seccomp_row aio[] = {
	{"io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents",
	 "asynchronous I/O of storage programs (SPDK's aio)"},
	{NULL, NULL},
};

static const struct seccomp_row qemu[] = {
	{"seccomp", "its -sandbox: a filter of its own, which takes away more"},
	{NULL, NULL},
};

const struct seccomp_group seccomp_groups[] = {
	{"files",
	 "EAL reads the (synthetic) /sys, maps hugepage files and keeps a runtime directory. What "
	 "can be opened at all is a matter of mounts, modes and the device list, not of the "
	 "filter.",
	 files},
	{"memory",
	 "Memory is the data plane's business. How much of it there is, the memory and hugetlb "
	 "limits say.",
	 memory},
	{"numa",
	 "EAL places hugepages on nodes with these; cpuset.mems confines them. Docker's default "
	 "profile refuses them without CAP_SYS_NICE, and EAL does not start there.",
	 numa},
	{"processes",
	 "Threads, programs and signals within the container. The PID namespace shows it no "
	 "others.",
	 processes},
	{"time and events", "Waiting and measuring time. No clock can be set.", events},
	{"sockets",
	 "Sockets of the families, types and protocols that socket(2) is open for, see below. The "
	 "network namespace is the container's own, and has nothing but a loopback interface.",
	 sockets},
	{"ipc", "The IPC namespace is the container's own.", ipc},
	{"asynchronous I/O, with --seccomp=aio",
	 "How many events there may be (fs.aio-max-nr) the kernel counts for the whole machine: a "
	 "container could take them all. So these are there only for a grant that says so.",
	 aio,
	 SECCOMP_AIO},
	{"QEMU, with --in vm",
	 "The program of the container is QEMU then, under the same filter; the guest has a kernel "
	 "of its own, and makes none of these calls.",
	 qemu,
	 SECCOMP_QEMU},
	{NULL, NULL, NULL},
};

// ---- comparisons of arguments. An int is compared in its 32 bits: the kernel looks at no more of it.

#define IS(index, number)                                                   \
	{                                                                   \
		.argument = (index), .op = "SCMP_CMP_EQ", .value = (number) \
	}
#define LACKS(index, bits)                                                       \
	{                                                                        \
		.argument = (index), .op = "SCMP_CMP_MASKED_EQ", .value = (bits) \
	}
#define TYPE(type)                                                               \
	{                                                                        \
		.argument = 1, .op = "SCMP_CMP_MASKED_EQ",                       \
		.value = UINT32_MAX & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), \
		.value_two = (type)                                              \
	}

// `size` values from `first` on, a multiple of it; size is a power of two.
#define FROM(index, first, size)                                                  \
	{                                                                         \
		.argument = (index), .op = "SCMP_CMP_MASKED_EQ",                  \
		.value = UINT32_MAX & ~(uint64_t)((size)-1), .value_two = (first) \
	}

// All limits but RLIMIT_CORE (4): raised or lowered, it would let core_pattern's program run.
#define LIMITS(first, size)                                                           \
	{"setrlimit", {FROM(0, first, size)}, -1, "not RLIMIT_CORE", of_limits},      \
	{                                                                             \
		"prlimit64", {FROM(1, first, size)}, -1, "not RLIMIT_CORE", of_limits \
	}
// Options of sockets by number, at any level: but for those that attach a filter (SO_ATTACH_FILTER 26,
// SO_ATTACH_BPF 50, SO_ATTACH_REUSEPORT_CBPF 51 and _EBPF 52), compiled into memory that the machine has once.
#define OPTIONS(first, size)                                                             \
	{                                                                                \
		"setsockopt", {FROM(2, first, size)}, -1, "none that attaches a filter", \
			of_options                                                       \
	}
#define LEVEL(level, first, size, cap, when)                                                   \
	{                                                                                      \
		"setsockopt", {FROM(1, level, 1), FROM(2, first, size)}, cap, when, of_options \
	}
// All of prctl but PR_SET_SECCOMP (22), for the same reason, and PR_SCHED_CORE (62), which keeps others off
// the CPU beside.
#define CONTROLS(first, size)                                                                    \
	{                                                                                        \
		"prctl", {FROM(0, first, size)}, -1, "neither PR_SET_SECCOMP nor PR_SCHED_CORE", \
			of_controls                                                              \
	}
// Commands of devices whose number is `bits` under `mask`.
#define IOCTL(bits, mask)                                                                \
	{                                                                                \
		"ioctl",                                                                 \
			{{.argument = 1,                                                 \
			  .op = "SCMP_CMP_MASKED_EQ",                                    \
			  .value = (mask),                                               \
			  .value_two = (bits) & (mask)}},                                \
			-1, "none of TIOCSETD, TIOCSTI, TIOCCONS, TIOCLINUX", of_devices \
	}
// Some of what fcntl does is at the cost of others.
#define FCNTL(first, size)                                                                         \
	{                                                                                          \
		"fcntl", {FROM(1, first, size)}, -1, "none of F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ", \
			of_descriptors                                                             \
	}
#define ADVICE(first, size)                                                           \
	{                                                                             \
		"madvise", {FROM(2, first, size)}, -1, "not MADV_COLLAPSE", of_advice \
	}

// A socket of a family, a type and a protocol; of any protocol; a pair.
#define SOCKET(family, type, protocol, cap, when, why)                                 \
	{                                                                              \
		"socket", {IS(0, family), TYPE(type), IS(2, protocol)}, cap, when, why \
	}
#define ANY_PROTOCOL(family, type, cap, when, why)                    \
	{                                                             \
		"socket", {IS(0, family), TYPE(type)}, cap, when, why \
	}
#define PAIR(type, when)                                                        \
	{                                                                       \
		"socketpair", {IS(0, AF_UNIX), TYPE(type), IS(2, 0)}, -1, when, \
			"what a process and its children say to each other"     \
	}

// Bits of a mode that make a program run as its owner or its group.
#define SET_ID (S_ISUID | S_ISGID)
#define MODE(call, index)                                                                   \
	{                                                                                   \
		call, {LACKS(index, SET_ID)}, -1, "a mode without a set-id bit",            \
			"modes of sockets and files; a file that lends its owner's rights " \
			"would outlive the container in a volume"                           \
	}
#define MAKES (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
#define OPEN(call, index)                                                         \
	{                                                                         \
		call, {LACKS(index, MAKES)}, -1, "neither O_CREAT nor O_TMPFILE", \
			"shared libraries, configuration, /sys and /proc"         \
	}
#define OPEN_NEW(call, index)                                                    \
	{                                                                        \
		call, {LACKS(index, SET_ID)}, -1, "a mode without a set-id bit", \
			"hugepage files, logs, captures"                         \
	}

static const char of_paths[] = "telemetry, multi-process, memif, vhost-user";
static const char of_network[] = "the container's own network";
static const char of_links[] = "names and states of the container's own interfaces";
static const char of_filters[] = "packet filters of the container's own network";
static const char of_raw[] = "packets of one's own making";
static const char of_ping[] = "ping";
static const char of_packets[] = "DPDK's af_packet ports and captures";

static const char of_limits[] = "daemons set limits; a hard one is never raised";
static const char of_options[] = "options of sockets";
static const char of_devices[] =
	"VFIO, terminals, tap and sockets; which devices there are is the device list's affair. "
	"TIOCSETD has the host load modules";
static const char of_descriptors[] =
	"flags and copies of descriptors, locks of hugepage files. A lease holds up the host's own "
	"programs, a larger pipe takes from what root may have of them";
static const char of_advice[] =
	"EAL keeps hugepages out of dumps; to collapse pages wakes every CPU";
static const char of_controls[] =
	"names of threads, PR_SET_PDEATHSIG, PR_SET_DUMPABLE; it cannot lift no_new_privs";

const struct seccomp_condition seccomp_conditions[] = {
	{"clone",
	 {LACKS(0, NAMESPACES)},
	 -1,
	 "no CLONE_NEW… flag",
	 "threads and processes, but no namespaces"},
	OPEN("open", 1),
	OPEN_NEW("open", 2),
	OPEN("openat", 2),
	OPEN_NEW("openat", 3),
	OPEN_NEW("creat", 1),
	MODE("chmod", 1),
	MODE("fchmod", 1),
	MODE("fchmodat", 2),
	{"mq_open", {LACKS(2, SET_ID)}, -1, "a mode without a set-id bit", "POSIX message queues"},
	{"move_pages",
	 {IS(0, 0), IS(3, 0)},
	 -1,
	 "of the calling process, without nodes",
	 "asking on which node a page is; to move one interrupts every CPU"},
	// FIOCLEX, VFIO, sockets, tap: those of another type, which bit by bit is not that of terminals
	IOCTL(0x5400 ^ 0x0100, 0x0100),
	IOCTL(0x5400 ^ 0x0200, 0x0200),
	IOCTL(0x5400 ^ 0x0400, 0x0400),
	IOCTL(0x5400 ^ 0x0800, 0x0800),
	IOCTL(0x5400 ^ 0x1000, 0x1000),
	IOCTL(0x5400 ^ 0x2000, 0x2000),
	IOCTL(0x5400 ^ 0x4000, 0x4000),
	IOCTL(0x5400 ^ 0x8000, 0x8000),
	// of terminals, and of tap: all but TIOCSTI 0x12, TIOCLINUX 0x1c, TIOCCONS 0x1d, TIOCSETD 0x23
	IOCTL(0x00, 0xf0),
	IOCTL(0x10, 0xfe),
	IOCTL(0x13, 0xff),
	IOCTL(0x14, 0xfc),
	IOCTL(0x18, 0xfc),
	IOCTL(0x1e, 0xfe),
	IOCTL(0x20, 0xfe),
	IOCTL(0x22, 0xff),
	IOCTL(0x24, 0xfc),
	IOCTL(0x28, 0xf8),
	IOCTL(0x30, 0xf0),
	IOCTL(0x40, 0xc0),
	IOCTL(0x80, 0x80),
	// all but F_SETLEASE 1024, F_NOTIFY 1026, F_SETPIPE_SZ 1031
	FCNTL(0, 64),
	FCNTL(F_GETLEASE, 1),
	FCNTL(1027, 1),
	FCNTL(1028, 2),
	FCNTL(F_DUPFD_CLOEXEC, 1),
	FCNTL(1032, 8),
	// all but MADV_COLLAPSE 25
	ADVICE(0, 16),
	ADVICE(16, 8),
	ADVICE(24, 1),
	ADVICE(102, 2),
	LIMITS(0, 4),
	LIMITS(5, 1),
	LIMITS(6, 2),
	LIMITS(8, 8),
	{"prlimit64", {IS(2, 0)}, -1, "nothing is set", "EAL and daemons look at limits"},
	CONTROLS(0, 16),
	CONTROLS(16, 4),
	CONTROLS(20, 2),
	CONTROLS(23, 1),
	CONTROLS(24, 8),
	CONTROLS(32, 16),
	CONTROLS(48, 8),
	CONTROLS(56, 4),
	CONTROLS(60, 2),
	CONTROLS(63, 1),
	CONTROLS(64, 64),
	CONTROLS(PR_SET_VMA, 1),
	CONTROLS(PR_SET_PTRACER, 1),
	OPTIONS(0, 16),
	OPTIONS(16, 8),
	OPTIONS(24, 2),
	OPTIONS(27, 1),
	OPTIONS(28, 4),
	OPTIONS(32, 16),
	OPTIONS(48, 2),
	OPTIONS(53, 1),
	OPTIONS(54, 2),
	OPTIONS(56, 8),
	OPTIONS(64, 64),
	OPTIONS(128, 128),
	LEVEL(IPPROTO_IPV6, 26, 1, -1, "IPV6_V6ONLY"),
	LEVEL(IPPROTO_IPV6, 50, 2, -1, "IPV6_PKTINFO, IPV6_RECVHOPLIMIT"),
	LEVEL(SOL_SOCKET, SO_ATTACH_FILTER, 1, CAP_NET_RAW, "SO_ATTACH_FILTER"),
	SOCKET(AF_UNIX, SOCK_STREAM, 0, -1, "AF_UNIX, SOCK_STREAM", of_paths),
	SOCKET(AF_UNIX, SOCK_DGRAM, 0, -1, "AF_UNIX, SOCK_DGRAM", of_paths),
	SOCKET(AF_UNIX, SOCK_SEQPACKET, 0, -1, "AF_UNIX, SOCK_SEQPACKET", of_paths),
	PAIR(SOCK_STREAM, "AF_UNIX, SOCK_STREAM"),
	PAIR(SOCK_DGRAM, "AF_UNIX, SOCK_DGRAM"),
	PAIR(SOCK_SEQPACKET, "AF_UNIX, SOCK_SEQPACKET"),
	SOCKET(AF_INET, SOCK_STREAM, 0, -1, "AF_INET, SOCK_STREAM", of_network),
	SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP, -1, "AF_INET, SOCK_STREAM, TCP", of_network),
	SOCKET(AF_INET, SOCK_DGRAM, 0, -1, "AF_INET, SOCK_DGRAM", of_network),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP, -1, "AF_INET, SOCK_DGRAM, UDP", of_network),
	SOCKET(AF_INET6, SOCK_STREAM, 0, -1, "AF_INET6, SOCK_STREAM", of_network),
	SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP, -1, "AF_INET6, SOCK_STREAM, TCP", of_network),
	SOCKET(AF_INET6, SOCK_DGRAM, 0, -1, "AF_INET6, SOCK_DGRAM", of_network),
	SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP, -1, "AF_INET6, SOCK_DGRAM, UDP", of_network),
	SOCKET(AF_NETLINK,
	       SOCK_RAW,
	       NETLINK_ROUTE,
	       -1,
	       "AF_NETLINK, SOCK_RAW, NETLINK_ROUTE",
	       of_links),
	SOCKET(AF_NETLINK,
	       SOCK_DGRAM,
	       NETLINK_ROUTE,
	       -1,
	       "AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE",
	       of_links),
	SOCKET(AF_NETLINK,
	       SOCK_RAW,
	       NETLINK_NETFILTER,
	       CAP_NET_ADMIN,
	       "AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER",
	       of_filters),
	SOCKET(AF_NETLINK,
	       SOCK_DGRAM,
	       NETLINK_NETFILTER,
	       CAP_NET_ADMIN,
	       "AF_NETLINK, SOCK_DGRAM, NETLINK_NETFILTER",
	       of_filters),
	ANY_PROTOCOL(AF_INET, SOCK_RAW, CAP_NET_RAW, "AF_INET, SOCK_RAW", of_raw),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP, CAP_NET_RAW, "AF_INET, SOCK_DGRAM, ICMP", of_ping
	),
	ANY_PROTOCOL(AF_INET6, SOCK_RAW, CAP_NET_RAW, "AF_INET6, SOCK_RAW", of_raw),
	SOCKET(AF_INET6,
	       SOCK_DGRAM,
	       IPPROTO_ICMPV6,
	       CAP_NET_RAW,
	       "AF_INET6, SOCK_DGRAM, ICMPV6",
	       of_ping),
	ANY_PROTOCOL(AF_PACKET, SOCK_RAW, CAP_NET_RAW, "AF_PACKET, SOCK_RAW", of_packets),
	ANY_PROTOCOL(AF_PACKET, SOCK_DGRAM, CAP_NET_RAW, "AF_PACKET, SOCK_DGRAM", of_packets),
	{NULL, {}, -1, NULL, NULL},
};
static_assert(ARRAY_LEN(seccomp_conditions) <= SECCOMP_CONDITIONS_MAX, "more of them");

const struct seccomp_row seccomp_refused[] = {
	{"mount umount2 move_mount open_tree fsopen fsmount fsconfig fspick mount_setattr "
	 "pivot_root chroot",
	 "the view and the root are made before the program starts, and stay"},
	{"unshare setns", "no namespaces: a new user namespace would have all capabilities in it"},
	{"bpf", "programs in the host's kernel"},
	{"perf_event_open", "counters that show what the host and others do"},
	{"ptrace process_vm_readv process_vm_writev pidfd_getfd process_madvise kcmp",
	 "reaching into other processes"},
	{"keyctl add_key request_key", "keyrings do not belong to a namespace"},
	{"io_uring_setup io_uring_enter io_uring_register",
	 "it does the work of other calls past the filter, and is a wide surface"},
	{"userfaultfd", "it holds the kernel up in the middle of a copy: a tool of exploits"},
	{"migrate_pages", "moves the pages of other processes"},
	{"mbind set_mempolicy_home_node",
	 "policies of shared memory are kept by the kernel for each range, for no cgroup and "
	 "without end; "
	 "to move pages interrupts every CPU"},
	{"sync", "it writes what the whole host has to be written; fsync and syncfs are there"},
	{"init_module finit_module delete_module kexec_load kexec_file_load reboot",
	 "the host's kernel is the host's"},
	{"iopl ioperm modify_ldt", "I/O ports and old segments"},
	{"settimeofday clock_settime clock_adjtime adjtimex", "the clock is the host's"},
	{"mknod mknodat", "device nodes come with the grant"},
	{"setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr",
	 "capabilities of files, ACLs"},
	{"open_by_handle_at name_to_handle_at", "files by handle, past every mount"},
	{"fanotify_init quotactl acct swapon swapoff", "file systems and memory of the host"},
	{"personality", "it turns off address space layout randomisation"},
	{"seccomp",
	 "a filter is compiled into memory that the machine has once (net.core.bpf_jit_limit)"},
	{"syslog lookup_dcookie", "the kernel's log and profile tell about the host"},
	{"sethostname setdomainname", "the names are those of the grant"},
	{"vmsplice", "it has a history of holes, and no data plane uses it"},
	{NULL, NULL},
};

const char seccomp_init_calls[] =
	"read write recvmsg close close_range dup2 fcntl ioctl pipe2 openat newfstatat fstat "
	"access "
	"readlink readlinkat lseek getdents64 mmap munmap madvise mprotect brk execve arch_prctl "
	"set_tid_address set_robust_list rseq prlimit64 getrandom clone fork wait4 exit exit_group "
	"futex sched_yield nanosleep kill tkill tgkill getpid gettid getsid getpgrp getpgid "
	"setpgid "
	"setsid prctl capset capget setgid setuid setgroups setresuid setresgid umask chdir "
	"rt_sigaction rt_sigprocmask rt_sigtimedwait rt_sigreturn sched_setaffinity "
	"sched_getaffinity";

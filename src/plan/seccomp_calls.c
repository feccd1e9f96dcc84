// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The system calls of a DPDK program, each with what it is needed for; those that are let through with
// certain arguments are in seccomp_conditions.c. These tables are the only place: the filter, pinfold
// seccomp show and docs/seccomp.md are made from them.

#include "plan/seccomp.h"

#if !defined(__x86_64__)
#error "the table of system calls is for x86-64: another processor needs one that was checked there"
#endif

static const struct seccomp_row files[] = {
	{"close close_range", "giving descriptors back"},
	{"read pread64 readv preadv preadv2", "reading files, pipes, events and interrupts"},
	{"write pwrite64 writev pwritev pwritev2", "writing logs, sockets, captures and events"},
	{"lseek", "PCI configuration space and captures are read at offsets"},
	{"sendfile tee copy_file_range readahead", "copying files and captures without a detour"},
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
	{"fsync fdatasync sync_file_range msync", "captures and logs that are on disk"},
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
	{"recvfrom recvmsg recvmmsg", "what goes over them, descriptors too"},
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
	{"sync syncfs", "they write what the whole host has to be written; fsync is there"},
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

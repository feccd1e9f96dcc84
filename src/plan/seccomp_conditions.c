// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// System calls that are let through with certain arguments: the other half of the table in seccomp_calls.c.

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

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20 // Linux 6.3: for a file that can be executed, F_SEAL_WRITE too
#endif
#define NAMESPACES                                                                   \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER \
	 | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

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
// Options of sockets by level and number: a list of those that are open, for many reach what the machine has once.
#define OPTION(level, first, size, cap, when)                                                  \
	{                                                                                      \
		"setsockopt", {FROM(1, level, 1), FROM(2, first, size)}, cap, when, of_options \
	}
// All of prctl but PR_SET_SECCOMP (22), for the same reason, PR_SCHED_CORE (62), which keeps others off
// the CPU beside, and PR_SET_MEMORY_MERGE (67): as MADV_MERGEABLE.
#define CONTROLS(first, size)                                                                     \
	{                                                                                         \
		"prctl", {FROM(0, first, size)}, -1,                                              \
			"none of PR_SET_SECCOMP, PR_SCHED_CORE, PR_SET_MEMORY_MERGE", of_controls \
	}
// Commands of devices whose number is `bits` under `mask`.
#define IOCTL_IF(bits, mask, needs, lacks)                                         \
	{                                                                          \
		"ioctl",                                                           \
			{{.argument = 1,                                           \
			  .op = "SCMP_CMP_MASKED_EQ",                              \
			  .value = (mask),                                         \
			  .value_two = (bits)}},                                   \
			-1,                                                        \
			"of terminals, tap, sockets, VFIO and vhost, but none of " \
			"TIOCSETD, TIOCSTI, TIOCCONS, TIOCLINUX, nor of tap's "    \
			"filters, nor SIOCGSTAMP, nor of bridges and VLANs",       \
			of_devices, needs, lacks                                   \
	}
#define IOCTL(bits, mask) IOCTL_IF(bits, mask, 0, 0)
#define IOCTL_TYPE(type, needs, lacks) IOCTL_IF((type) << 8, 0xff00, needs, lacks)
#define TERMINAL(low, mask) IOCTL(0x5400 | (low), 0xff00 | (mask))
#define OF_SOCKETS(low, mask) IOCTL(0x8900 | (low), 0xff00 | (mask))
// Some of what fcntl does is at the cost of others.
#define FCNTL(first, size)                                                                       \
	{                                                                                        \
		"fcntl", {FROM(1, first, size)}, -1,                                             \
			"none of F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ, F_SEAL_WRITE, F_SEAL_EXEC", \
			of_descriptors                                                           \
	}
#define ADVICE_OF_FILES(first, size)                                                         \
	{                                                                                    \
		"fadvise64", {FROM(3, first, size)}, -1, "not POSIX_FADV_DONTNEED", of_files \
	}
#define ADVICE(first, size)                                                                        \
	{                                                                                          \
		"madvise", {FROM(2, first, size)}, -1, "neither MADV_MERGEABLE nor MADV_COLLAPSE", \
			of_advice                                                                  \
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
#define OF_RDMA(protocol, when)                                                                    \
	{                                                                                          \
		"socket", {IS(0, AF_NETLINK), TYPE(SOCK_RAW), IS(2, protocol)}, -1, when, of_rdma, \
			SECCOMP_RDMA                                                               \
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
static const char of_rdma[] = "NICs whose kernel driver stays (mlx5): which interface they are";
static const char of_filters[] = "packet filters of the container's own network";
static const char of_raw[] = "packets of one's own making";
static const char of_ping[] = "ping";
static const char of_packets[] = "DPDK's af_packet ports and captures";

static const char of_limits[] = "daemons set limits; a hard one is never raised";
static const char of_options[] = "options of sockets. What is not listed attaches a filter, takes "
				 "from a table that the machine has once, keeps "
				 "memory that no cgroup counts or interrupts every CPU";
// What a person reads instead of numbers.
static const char when_any[] = "of sockets, IP, TCP and UDP, but no memberships, flow labels, "
			       "filters, keys, upper protocols, times of "
			       "packets, UDP_CORK, UDP_ENCAP, UDP_GRO, SO_ZEROCOPY";
static const char when_admin[] = "memberships, packet filters, netlink";
static const char when_raw[] = "SO_ATTACH_FILTER, options of raw and packet sockets";
static const char of_messages[] = "what goes over sockets, descriptors too; a datagram that is "
				  "begun and not sent is memory that no cgroup counts";
static const char of_files[] =
	"how a file will be read; to drop the cache of a host's file has others wait for the disk";
static const char of_devices[] =
	"which devices there are is the device list's affair. Commands of file systems leave keys "
	"in them, TIOCSETD and those of bridges and VLANs have the host load modules, SIOCGSTAMP "
	"interrupts every CPU";
static const char of_descriptors[] =
	"flags and copies of descriptors, locks of hugepage files. A lease holds up the host's own "
	"programs, a larger pipe takes from what root may have of them, to seal what somebody "
	"reads wakes every CPU";
static const char of_advice[] =
	"EAL keeps hugepages out of dumps; to collapse pages wakes every CPU, to merge them is "
	"work of the kernel's that tells of others' memory";
static const char of_controls[] =
	"names of threads, PR_SET_PDEATHSIG, PR_SET_DUMPABLE; it cannot lift no_new_privs";
// MEMBARRIER_CMD_GLOBAL_EXPEDITED, and what registers for it
#define BARRIERS_OF_OTHERS (2 | 4)

const struct seccomp_condition seccomp_conditions[] = {
	{"clone",
	 {LACKS(0, NAMESPACES | CLONE_PARENT)},
	 -1,
	 "no CLONE_NEW… flag, no CLONE_PARENT",
	 "threads and processes, but no namespaces; a sibling of what pinfold exec started is a "
	 "child of the runtime, which waits for it"},
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
	{"membarrier",
	 {LACKS(0, BARRIERS_OF_OTHERS)},
	 -1,
	 "not MEMBARRIER_CMD_GLOBAL_EXPEDITED",
	 "EAL and liburcu order memory between threads with it; the global one interrupts other "
	 "programs"},
	// A list of types (Documentation/userspace-api/ioctl/ioctl-number.rst): VFIO, vhost, KVM, InfiniBand. None of file systems,
	// whose keys, snapshots and flags of files stay when the container is gone.
	IOCTL_TYPE(0x3b, 0, SECCOMP_UIO),
	IOCTL_TYPE(0x3b, SECCOMP_VFIO, 0),
	IOCTL_TYPE(0xaf, 0, SECCOMP_UIO),
	IOCTL_TYPE(0xae, SECCOMP_QEMU, 0),
	IOCTL_TYPE(0x1b, SECCOMP_RDMA, 0), // verbs
	// of terminals, FIOCLEX: all but TIOCSTI 0x12, TIOCLINUX 0x1c, TIOCCONS 0x1d, TIOCSETD 0x23
	TERMINAL(0x00, 0xf0),
	TERMINAL(0x10, 0xfe),
	TERMINAL(0x13, 0xff),
	TERMINAL(0x14, 0xfc),
	TERMINAL(0x18, 0xfc),
	TERMINAL(0x1e, 0xfe),
	TERMINAL(0x20, 0xfe),
	TERMINAL(0x22, 0xff),
	TERMINAL(0x24, 0xfc),
	TERMINAL(0x28, 0xf8),
	TERMINAL(0x30, 0xf0),
	TERMINAL(0x40, 0xc0),
	TERMINAL(0x80, 0xc0),
	// of tap, what DPDK's ports and ip(8) take: TUNSETIFF 0xca, its owner and features, offloads 0xd0,
	// TUNGETIFF 0xd2 and SNDBUF, VNETHDRSZ 0xd7, TUNSETQUEUE 0xd9, TUNSETIFINDEX, VNETLE and BE 0xdc. No filter:
	// TUNATTACHFILTER 0xd5, TUNSETSTEERINGEBPF 0xe0, TUNSETFILTEREBPF 0xe1 and their relatives
	TERMINAL(0xca, 0xfe),
	TERMINAL(0xcc, 0xfc),
	TERMINAL(0xd0, 0xff),
	TERMINAL(0xd2, 0xfe),
	TERMINAL(0xd4, 0xff),
	TERMINAL(0xd7, 0xff),
	TERMINAL(0xd8, 0xfe),
	TERMINAL(0xda, 0xff),
	TERMINAL(0xdc, 0xfc),
	// of sockets: all but SIOCGSTAMP 6 and SIOCGSTAMPNS 7, of either size, and those for which the kernel looks for a
	// module before it asks who calls: of bridges 0x40, 0x41 and 0xa0 to 0xa3, of DLCI 0x80 and 0x81, of VLANs 0x82 and 0x83
	OF_SOCKETS(0x00, 0xfc),
	OF_SOCKETS(0x04, 0xfe),
	OF_SOCKETS(0x08, 0xf8),
	OF_SOCKETS(0x10, 0xf0),
	OF_SOCKETS(0x20, 0xe0),
	OF_SOCKETS(0x42, 0xfe),
	OF_SOCKETS(0x44, 0xfc),
	OF_SOCKETS(0x48, 0xf8),
	OF_SOCKETS(0x50, 0xf0),
	OF_SOCKETS(0x60, 0xe0),
	OF_SOCKETS(0x84, 0xfc),
	OF_SOCKETS(0x88, 0xf8),
	OF_SOCKETS(0x90, 0xf0),
	OF_SOCKETS(0xa4, 0xfc),
	OF_SOCKETS(0xa8, 0xf8),
	OF_SOCKETS(0xb0, 0xf0),
	OF_SOCKETS(0xc0, 0xc0),
	// all but POSIX_FADV_DONTNEED 4
	ADVICE_OF_FILES(0, 4),
	ADVICE_OF_FILES(5, 1),
	// MSG_MORE, SPLICE_F_MORE
	{"sendto", {LACKS(3, MSG_MORE)}, -1, "not MSG_MORE", of_messages},
	{"sendmsg", {LACKS(2, MSG_MORE)}, -1, "not MSG_MORE", of_messages},
	{"sendmmsg", {LACKS(3, MSG_MORE)}, -1, "not MSG_MORE", of_messages},
	{"splice", {LACKS(5, SPLICE_F_MORE)}, -1, "not SPLICE_F_MORE", of_messages},
	// all but F_SETLEASE 1024, F_NOTIFY 1026, F_SETPIPE_SZ 1031
	FCNTL(0, 64),
	FCNTL(F_GETLEASE, 1),
	FCNTL(1027, 1),
	FCNTL(1028, 2),
	FCNTL(F_DUPFD_CLOEXEC, 1),
	FCNTL(1032, 1),
	{"fcntl",
	 {IS(1, F_ADD_SEALS), LACKS(2, F_SEAL_WRITE | F_SEAL_EXEC)},
	 -1,
	 "none of F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ, F_SEAL_WRITE, F_SEAL_EXEC",
	 of_descriptors},
	FCNTL(1034, 2),
	FCNTL(1036, 4),
	// all but MADV_MERGEABLE 12 and MADV_COLLAPSE 25
	ADVICE(0, 8),
	ADVICE(8, 4),
	ADVICE(13, 1),
	ADVICE(14, 2),
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
	CONTROLS(64, 2),
	CONTROLS(66, 1),
	CONTROLS(68, 4),
	CONTROLS(72, 8),
	CONTROLS(80, 16),
	CONTROLS(96, 32),
	CONTROLS(PR_SET_VMA, 1),
	CONTROLS(PR_SET_PTRACER, 1),
	// SO_REUSEADDR and the like to SO_REUSEPORT 15, SO_PASSCRED 16 to SO_SNDTIMEO 21, SO_BINDTODEVICE 25,
	// SO_DETACH_FILTER 27, SO_SNDBUFFORCE 32, SO_MARK 36, SO_RXQ_OVFL 40 to SO_MAX_PACING_RATE 47,
	// SO_INCOMING_CPU 49, SO_TXTIME 61, SO_BINDTOIFINDEX 62, the 64-bit times 66, SO_PREFER_BUSY_POLL 69, SO_BUF_LOCK 72
	OPTION(SOL_SOCKET, 0, 16, -1, when_any),
	OPTION(SOL_SOCKET, 16, 4, -1, when_any),
	OPTION(SOL_SOCKET, 20, 2, -1, when_any),
	OPTION(SOL_SOCKET, 25, 1, -1, when_any),
	OPTION(SOL_SOCKET, 27, 1, -1, when_any),
	OPTION(SOL_SOCKET, 32, 2, -1, when_any),
	OPTION(SOL_SOCKET, 34, 1, -1, when_any),
	OPTION(SOL_SOCKET, 36, 1, -1, when_any),
	OPTION(SOL_SOCKET, 40, 8, -1, when_any),
	OPTION(SOL_SOCKET, 49, 1, -1, when_any),
	OPTION(SOL_SOCKET, 53, 1, -1, when_any),
	OPTION(SOL_SOCKET, 61, 1, -1, when_any),
	OPTION(SOL_SOCKET, 62, 1, -1, when_any),
	OPTION(SOL_SOCKET, 66, 2, -1, when_any),
	OPTION(SOL_SOCKET, 69, 1, -1, when_any),
	OPTION(SOL_SOCKET, 70, 1, -1, when_any),
	OPTION(SOL_SOCKET, 72, 1, -1, when_any),
	OPTION(SOL_SOCKET, 74, 1, -1, when_any),
	OPTION(SOL_SOCKET, 76, 2, -1, when_any),
	// IP_TOS 1 to IP_FREEBIND 15, IP_RECVORIGDSTADDR 20, IP_BIND_ADDRESS_NO_PORT 24 to 26, IP_MULTICAST_IF 32 to _LOOP 34, _ALL 49,
	// IP_UNICAST_IF 50, IP_LOCAL_PORT_RANGE 51
	OPTION(IPPROTO_IP, 0, 16, -1, when_any),
	OPTION(IPPROTO_IP, 20, 1, -1, when_any),
	OPTION(IPPROTO_IP, 24, 2, -1, when_any),
	OPTION(IPPROTO_IP, 26, 1, -1, when_any),
	OPTION(IPPROTO_IP, 32, 2, -1, when_any),
	OPTION(IPPROTO_IP, 34, 1, -1, when_any),
	OPTION(IPPROTO_IP, 49, 1, -1, when_any),
	OPTION(IPPROTO_IP, 50, 2, -1, when_any),
	// memberships 35 to 48, IP_TRANSPARENT 19, tables of packet filters from 64 on
	OPTION(IPPROTO_IP, 19, 1, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IP, 35, 1, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IP, 36, 4, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IP, 40, 8, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IP, 48, 1, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IP, 64, 64, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IP, 128, 128, CAP_NET_ADMIN, when_admin),
	// IPV6_ADDRFORM 1 to IPV6_MULTICAST_LOOP 19, IPV6_MTU_DISCOVER 23 to IPV6_V6ONLY 26, IPV6_MULTICAST_ALL 29,
	// IPV6_RECVERR_RFC4884 31, IPV6_RECVPKTINFO 49 to IPV6_DONTFRAG 62, IPV6_RECVTCLASS 66, IPV6_AUTOFLOWLABEL 70,
	// IPV6_ADDR_PREFERENCES 72, IPV6_ORIGDSTADDR 74, IPV6_UNICAST_IF 76 to IPV6_FREEBIND 78
	OPTION(IPPROTO_IPV6, 0, 8, -1, when_any),
	OPTION(IPPROTO_IPV6, 8, 4, -1, when_any),
	OPTION(IPPROTO_IPV6, 16, 4, -1, when_any),
	OPTION(IPPROTO_IPV6, 23, 1, -1, when_any),
	OPTION(IPPROTO_IPV6, 24, 2, -1, when_any),
	OPTION(IPPROTO_IPV6, 26, 1, -1, when_any),
	OPTION(IPPROTO_IPV6, 29, 1, -1, when_any),
	OPTION(IPPROTO_IPV6, 31, 1, -1, when_any),
	OPTION(IPPROTO_IPV6, 49, 1, -1, when_any),
	OPTION(IPPROTO_IPV6, 50, 2, -1, when_any),
	OPTION(IPPROTO_IPV6, 52, 4, -1, when_any),
	OPTION(IPPROTO_IPV6, 56, 4, -1, when_any),
	OPTION(IPPROTO_IPV6, 60, 2, -1, when_any),
	OPTION(IPPROTO_IPV6, 62, 1, -1, when_any),
	OPTION(IPPROTO_IPV6, 66, 2, -1, when_any),
	OPTION(IPPROTO_IPV6, 70, 1, -1, when_any),
	OPTION(IPPROTO_IPV6, 72, 1, -1, when_any),
	OPTION(IPPROTO_IPV6, 74, 1, -1, when_any),
	OPTION(IPPROTO_IPV6, 76, 2, -1, when_any),
	OPTION(IPPROTO_IPV6, 78, 1, -1, when_any),
	// memberships 20, 27, 42 to 48, IPV6_TRANSPARENT 75, tables of packet filters from 64 on
	OPTION(IPPROTO_IPV6, 20, 2, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IPV6, 27, 1, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IPV6, 28, 1, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IPV6, 42, 2, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IPV6, 44, 4, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IPV6, 48, 1, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IPV6, 64, 2, CAP_NET_ADMIN, when_admin),
	OPTION(IPPROTO_IPV6, 75, 1, CAP_NET_ADMIN, when_admin),
	// TCP_NODELAY 1 to TCP_CONGESTION 13, 16 and 17, TCP_USER_TIMEOUT 18, TCP_FASTOPEN 23, 25 to 27, TCP_FASTOPEN_CONNECT 30, TCP_INQ 36
	OPTION(IPPROTO_TCP, 0, 8, -1, when_any),
	OPTION(IPPROTO_TCP, 8, 4, -1, when_any),
	OPTION(IPPROTO_TCP, 12, 2, -1, when_any),
	OPTION(IPPROTO_TCP, 16, 2, -1, when_any),
	OPTION(IPPROTO_TCP, 18, 1, -1, when_any),
	OPTION(IPPROTO_TCP, 23, 1, -1, when_any),
	OPTION(IPPROTO_TCP, 25, 1, -1, when_any),
	OPTION(IPPROTO_TCP, 26, 2, -1, when_any),
	OPTION(IPPROTO_TCP, 30, 1, -1, when_any),
	OPTION(IPPROTO_TCP, 36, 1, -1, when_any),
	// UDP_NO_CHECK6_TX, UDP_NO_CHECK6_RX, UDP_SEGMENT
	OPTION(IPPROTO_UDP, 101, 1, -1, when_any),
	OPTION(IPPROTO_UDP, 102, 2, -1, when_any),
	OPTION(SOL_SOCKET, 26, 1, CAP_NET_RAW, when_raw),
	// IP_NODEFRAG, IPV6_ROUTER_ALERT, IPV6_HDRINCL; ICMP_FILTER and IPV6_CHECKSUM
	OPTION(IPPROTO_IP, 22, 1, CAP_NET_RAW, when_raw),
	OPTION(IPPROTO_IPV6, 22, 1, CAP_NET_RAW, when_raw),
	OPTION(IPPROTO_IPV6, 36, 1, CAP_NET_RAW, when_raw),
	OPTION(IPPROTO_RAW, 0, 8, CAP_NET_RAW, when_raw),
	OPTION(IPPROTO_ICMPV6, 0, 8, CAP_NET_RAW, when_raw),
	// all but PACKET_FANOUT_DATA 22, which attaches a filter
	OPTION(SOL_PACKET, 0, 16, CAP_NET_RAW, when_raw),
	OPTION(SOL_PACKET, 16, 4, CAP_NET_RAW, when_raw),
	OPTION(SOL_PACKET, 20, 2, CAP_NET_RAW, when_raw),
	OPTION(SOL_PACKET, 23, 1, CAP_NET_RAW, when_raw),
	OPTION(SOL_PACKET, 24, 1, CAP_NET_RAW, when_raw),
	// groups and acknowledgements
	OPTION(SOL_NETLINK, 0, 16, CAP_NET_ADMIN, when_admin),
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
	       CAP_NET_ADMIN,
	       "AF_NETLINK, SOCK_RAW, NETLINK_ROUTE",
	       of_links),
	SOCKET(AF_NETLINK,
	       SOCK_DGRAM,
	       NETLINK_ROUTE,
	       CAP_NET_ADMIN,
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
	OF_RDMA(NETLINK_RDMA, "AF_NETLINK, SOCK_RAW, NETLINK_RDMA, with such a NIC"),
	OF_RDMA(NETLINK_ROUTE, "AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, with such a NIC"),
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

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// System call filters: every name of the default one is one, none is there twice, none is dangerous; what
// a file may say; what narrowing takes away and never adds; that the page shows the table.

#include "unit.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "plan/seccomp.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

// What no workload may call: modules, mounts, namespaces, other processes, keys, time, the kernel's
// wide surfaces.
static const char *const dangerous[] = {
	"acct",
	"add_key",
	"adjtimex",
	"bpf",
	"chroot",
	"clock_adjtime",
	"clock_settime",
	"create_module",
	"delete_module",
	"fanotify_init",
	"finit_module",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"init_module",
	"io_uring_enter",
	"io_uring_register",
	"io_uring_setup",
	"ioperm",
	"iopl",
	"kcmp",
	"kexec_file_load",
	"kexec_load",
	"keyctl",
	"landlock_create_ruleset",
	"lookup_dcookie",
	"migrate_pages",
	"mknod",
	"mknodat",
	"modify_ldt",
	"mount",
	"mount_setattr",
	"move_mount",
	"name_to_handle_at",
	"nfsservctl",
	"open_by_handle_at",
	"open_tree",
	"perf_event_open",
	"personality",
	"pidfd_getfd",
	"pivot_root",
	"process_madvise",
	"process_vm_readv",
	"process_vm_writev",
	"ptrace",
	"quotactl",
	"reboot",
	"request_key",
	"setdomainname",
	"sethostname",
	"setns",
	"settimeofday",
	"stime",
	"swapoff",
	"swapon",
	"syslog",
	"umount",
	"umount2",
	"unshare",
	"userfaultfd",
	"uselib",
	"vhangup",
};

static bool allowed(const json_t *rule)
{
	return str_eq(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW");
}

// A rule that allows a call whatever its arguments are.
static const json_t *free_rule(const json_t *filter, const char *call)
{
	const json_t *rule, *name;
	size_t i, k;

	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		json_array_foreach (json_object_get(rule, "names"), k, name) {
			if (str_eq(json_string_value(name), call) && allowed(rule)
			    && json_object_get(rule, "args") == NULL)
				return rule;
		}
	}
	return NULL;
}

static void known_and_once(void **)
{
	_cleanup_json_ json_t *filter = seccomp_default(0), *seen = json_object();
	const json_t *rule, *name;
	size_t i, k;

	assert_non_null(filter);
	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		json_array_foreach (json_object_get(rule, "names"), k, name) {
			const char *call = json_string_value(name);

			if (seccomp_syscall_resolve_name(call) == __NR_SCMP_ERROR)
				fail_msg("libseccomp knows no '%s'", call);
			// with conditions, a call may have several rules
			if (json_object_get(rule, "args") != NULL)
				continue;
			if (json_object_get(seen, call) != NULL)
				fail_msg("'%s' is there twice", call);
			json_object_set_new(seen, call, json_true());
		}
	}
	assert_true(json_object_size(seen) > 200);
}

static void nothing_dangerous(void **)
{
	_cleanup_json_ json_t *filter = seccomp_default(0);
	const json_t *rule, *name;
	size_t i, k;

	assert_string_equal(
		json_string_value(json_object_get(filter, "defaultAction")), "SCMP_ACT_ERRNO"
	);
	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		json_array_foreach (json_object_get(rule, "names"), k, name) {
			for (size_t d = 0; d < ARRAY_LEN(dangerous); d++) {
				if (str_eq(json_string_value(name), dangerous[d]))
					fail_msg("'%s' is in the list", dangerous[d]);
			}
		}
	}
}

// What a filter does with a call: its rules, as the kernel would go through them.
static bool compares(const json_t *arg, const uint64_t args[6])
{
	uint64_t value = args[json_integer_value(json_object_get(arg, "index"))];
	uint64_t one = (uint64_t)json_integer_value(json_object_get(arg, "value"));
	uint64_t two = (uint64_t)json_integer_value(json_object_get(arg, "valueTwo"));

	if (str_eq(json_string_value(json_object_get(arg, "op")), "SCMP_CMP_MASKED_EQ"))
		return (value & one) == two;
	return value == one;
}

static bool lets(const json_t *filter, const char *call, const uint64_t args[6])
{
	const json_t *rule, *name, *arg;
	size_t i, k;

	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		bool named = false, holds = allowed(rule);

		json_array_foreach (json_object_get(rule, "names"), k, name)
			named = named || str_eq(json_string_value(name), call);
		json_array_foreach (json_object_get(rule, "args"), k, arg)
			holds = holds && compares(arg, args);
		if (named && holds)
			return true;
	}
	return false;
}

#define LETS(filter, call, ...) lets(filter, call, (const uint64_t[6]){__VA_ARGS__})

// A filter with the rules for one call alone: it is asked a million times.
static json_t *only(const json_t *filter, const char *call)
{
	json_t *rules = json_array(), *rule;
	size_t i;

	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		if (str_eq(json_string_value(json_array_get(json_object_get(rule, "names"), 0)),
			   call))
			json_array_append(rules, rule);
	}
	return json_pack("{s:o}", "syscalls", rules);
}

static void conditions(void **)
{
	static const char *const conditional[] = {
		"clone",
		"clone3",
		"open",
		"openat",
		"openat2",
		"creat",
		"chmod",
		"fchmod",
		"fchmodat",
		"socket",
		"socketpair",
		"mq_open",
		"move_pages",
		"ioctl",
		"fcntl",
		"madvise",
		"membarrier"};
	static const unsigned namespaces[] = {
		0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000};
	_cleanup_json_ json_t *filter = seccomp_default(0);

	for (size_t i = 0; i < ARRAY_LEN(conditional); i++)
		assert_null(free_rule(filter, conditional[i]));
	assert_non_null(free_rule(filter, "set_mempolicy")); // EAL needs it
	assert_non_null(free_rule(filter, "mmap"));
	assert_true(LETS(filter, "clone", 0x3d0f00)); // a thread
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
		assert_false(LETS(filter, "clone", namespaces[i] | 17));
	assert_false(LETS(filter, "clone", CLONE_PARENT | 17)); // exec's runtime would wait for it
	assert_true(LETS(filter, "move_pages", 0));
	assert_false(LETS(filter, "move_pages", 1));
	assert_false(LETS(filter, "move_pages", 0, 1, 0, 1));
	assert_null(free_rule(filter, "mbind"));
	assert_null(free_rule(filter, "sync"));
}

static bool is_one_of(uint64_t value, const unsigned *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (value == list[i])
			return true;
	}
	return false;
}

// Commands that are closed among those of an open type.
static const unsigned closed_commands[] = {
	TIOCSTI,
	TIOCLINUX,
	TIOCCONS,
	TIOCSETD,
	SIOCGSTAMP_OLD,
	SIOCGSTAMPNS_OLD,
	// the kernel looks for a module before it asks who calls
	SIOCGIFBR,
	SIOCSIFBR,
	SIOCADDDLCI,
	SIOCDELDLCI,
	SIOCGIFVLAN,
	SIOCSIFVLAN,
	SIOCBRADDBR,
	SIOCBRDELBR,
	SIOCBRADDIF,
	SIOCBRDELIF};

// Commands of which all are open but a few.
static void commands(void **)
{
	static const unsigned types[] = {0x54, 0x89, 0x3b, 0xaf},
			      files[] = {F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ},
			      memory[] = {MADV_MERGEABLE, 25}, processes[] = {22, 62, 67},
			      tap[] =
				      {0xca,
				       0xcb,
				       0xcc,
				       0xcd,
				       0xce,
				       0xcf,
				       0xd0,
				       0xd2,
				       0xd3,
				       0xd4,
				       0xd7,
				       0xd8,
				       0xd9,
				       0xda,
				       0xdc,
				       0xdd,
				       0xde,
				       0xdf},
			      attaching[] = {
				      TUNATTACHFILTER,
				      TUNDETACHFILTER,
				      TUNGETFILTER,
				      TUNSETSTEERINGEBPF,
				      TUNSETFILTEREBPF,
				      TUNSETTXFILTER};
	_cleanup_json_ json_t *filter = seccomp_default(0), *devices = only(filter, "ioctl"),
			      *verbs = seccomp_default(SECCOMP_RDMA);

	// those of tap, from 0x54c8 on, are a list; and so are the types: FS_IOC_ADD_ENCRYPTION_KEY is 0xc0506617
	for (uint64_t cmd = 0; cmd <= 0xffff; cmd++) {
		bool want = cmd >= 0x54c0 && cmd <= 0x54ff
				    ? is_one_of(cmd & 0xff, tap, ARRAY_LEN(tap))
				    : !is_one_of(cmd, closed_commands, ARRAY_LEN(closed_commands))
					      && is_one_of(cmd >> 8, types, ARRAY_LEN(types));

		if (LETS(devices, "ioctl", 0, cmd) != want)
			fail_msg("ioctl %#x", (unsigned)cmd);
	}
	for (size_t i = 0; i < ARRAY_LEN(attaching); i++)
		assert_false(LETS(filter, "ioctl", 0, attaching[i]));
	assert_false(LETS(filter, "ioctl", 0, 0x80108906)); // SIOCGSTAMP_NEW
	assert_true(LETS(filter, "ioctl", 0, TUNSETIFF));
	assert_true(LETS(filter, "ioctl", 0, TUNSETVNETHDRSZ));
	assert_true(LETS(filter, "ioctl", 0, 0x3b64)); // VFIO
	assert_false(LETS(filter, "ioctl", 0, KVM_RUN));
	assert_false(LETS(filter, "ioctl", 0, 0xc0181b01)); // RDMA_VERBS_IOCTL
	assert_true(LETS(verbs, "ioctl", 0, 0xc0181b01));
	// the kernel looks at the lower half of the number
	assert_false(LETS(filter, "ioctl", 0, TIOCSETD | UINT64_C(1) << 32));
	for (unsigned cmd = 0; cmd < 64; cmd++)
		assert_true(LETS(filter, "fcntl", 0, cmd));
	for (unsigned cmd = 1024; cmd < 1040; cmd++)
		assert_int_equal(
			LETS(filter, "fcntl", 0, cmd), !is_one_of(cmd, files, ARRAY_LEN(files))
		);
	assert_false(LETS(filter, "fcntl", 0, F_SETPIPE_SZ | UINT64_C(1) << 32));
	assert_true(LETS(filter, "fcntl", 0, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	assert_false(LETS(filter, "fcntl", 0, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE));
	assert_false(LETS(filter, "fcntl", 0, F_ADD_SEALS, F_SEAL_GROW | 0x20)); // F_SEAL_EXEC
	assert_true(LETS(filter, "fcntl", 0, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	for (unsigned advice = 0; advice < 26; advice++)
		assert_int_equal(
			LETS(filter, "madvise", 0, 0, advice),
			!is_one_of(advice, memory, ARRAY_LEN(memory))
		);
	for (unsigned option = 0; option < 128; option++)
		assert_int_equal(
			LETS(filter, "prctl", option),
			!is_one_of(option, processes, ARRAY_LEN(processes))
		);
	for (unsigned barrier = 0; barrier < 1024; barrier = barrier != 0 ? barrier * 2 : 1)
		assert_int_equal(LETS(filter, "membarrier", barrier), barrier != 2 && barrier != 4);
}

struct option {
	int level, number;
};

// Whether a filter lets through each of a list, up to one of level -1.
static void assert_options(const json_t *filter, const struct option *list, bool want)
{
	for (; list->level >= 0; list++) {
		if (LETS(filter, "setsockopt", 3, (uint64_t)list->level, (uint64_t)list->number)
		    != want)
			fail_msg("option %d of level %d", list->number, list->level);
	}
}

// Beside the kernel driver of a NIC: which interface it is. Nobody else's.
static void sockets_beside_a_driver(void **)
{
	for (int rdma = 0; rdma < 2; rdma++) {
		_cleanup_json_ json_t *all = seccomp_default(rdma != 0 ? SECCOMP_RDMA : 0);
		_cleanup_json_ json_t *filter = only(all, "socket");

		for (uint64_t protocol = 0; protocol < 32; protocol++) {
			bool want = rdma != 0
				    && (protocol == NETLINK_RDMA || protocol == NETLINK_ROUTE);

			assert_int_equal(
				LETS(filter, "socket", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol
				),
				want
			);
			assert_false(LETS(filter, "socket", AF_NETLINK, SOCK_DGRAM, protocol));
		}
	}
}

// Options by level and number: what keeps memory that nothing counts, has a table that the machine has once,
// or interrupts every CPU is in no list.
// Beside SYS_ADMIN of the host no command of a file system: FIFREEZE is 0xc0045877, EXT4_IOC_SHUTDOWN 0x8004587d.
static void commands_beside_uio(void **)
{
	for (int vfio = 0; vfio < 2; vfio++) {
		_cleanup_json_ json_t *all =
			seccomp_default(SECCOMP_UIO | (vfio != 0 ? SECCOMP_VFIO : 0));
		_cleanup_json_ json_t *filter = only(all, "ioctl");

		for (uint64_t type = 0; type <= 0xff; type++) {
			bool open = type == 0x54 || type == 0x89 || (vfio != 0 && type == 0x3b);

			for (uint64_t low = 0x40; low <= 0xbf; low++) {
				uint64_t cmd = 0xc0040000 | type << 8 | low;
				bool closed = is_one_of(
					cmd & 0xffff, closed_commands, ARRAY_LEN(closed_commands)
				);

				if (LETS(filter, "ioctl", 0, cmd) != (open && !closed))
					fail_msg("ioctl %#x", (unsigned)cmd);
			}
		}
		assert_false(LETS(filter, "ioctl", 0, TIOCSTI));
		assert_true(LETS(filter, "ioctl", 0, TCGETS));
		assert_true(LETS(filter, "ioctl", 0, FIONREAD));
	}
}

static void options(void **)
{
	static const struct option open[] = {
		{SOL_SOCKET, SO_REUSEADDR},
		{SOL_SOCKET, SO_RCVBUF},
		{SOL_SOCKET, SO_PASSCRED},
		{SOL_SOCKET, SO_RCVTIMEO},
		{SOL_SOCKET, SO_BINDTODEVICE},
		{IPPROTO_IP, IP_TOS},
		{IPPROTO_IP, IP_PKTINFO},
		{IPPROTO_TCP, TCP_NODELAY},
		{IPPROTO_TCP, TCP_CORK},
		{IPPROTO_TCP, TCP_USER_TIMEOUT},
		{IPPROTO_UDP, 103}, // UDP_SEGMENT
		{IPPROTO_IPV6, IPV6_V6ONLY},
		{IPPROTO_IPV6, IPV6_RECVPKTINFO},
		{-1, 0},
	};
	static const struct option closed[] = {
		{SOL_SOCKET, SO_ATTACH_BPF},
		{SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF},
		{SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF},
		{SOL_SOCKET, SO_TIMESTAMP},
		{SOL_SOCKET, SO_TIMESTAMPNS},
		{SOL_SOCKET, SO_TIMESTAMPING},
		{SOL_SOCKET, 63}, // SO_TIMESTAMP_NEW, NS_NEW, ING_NEW
		{SOL_SOCKET, 64},
		{SOL_SOCKET, 65},
		{SOL_SOCKET, SO_ZEROCOPY},
		{IPPROTO_IP, 16}, // IP_IPSEC_POLICY
		{IPPROTO_IP, IP_MINTTL},
		{IPPROTO_TCP, TCP_MD5SIG},
		{IPPROTO_TCP, TCP_ULP},
		{IPPROTO_TCP, 32},  // TCP_MD5SIG_EXT
		{IPPROTO_TCP, 37},  // TCP_TX_DELAY
		{IPPROTO_TCP, 38},  // TCP_AO_ADD_KEY
		{IPPROTO_UDP, 1},   // UDP_CORK
		{IPPROTO_UDP, 100}, // UDP_ENCAP
		{IPPROTO_UDP, 104}, // UDP_GRO
		{IPPROTO_IPV6, 32}, // IPV6_FLOWLABEL_MGR
		{IPPROTO_IPV6, 73}, // IPV6_MINHOPCOUNT
		{263, 22},	    // PACKET_FANOUT_DATA
		{282, 1},	    // SOL_TLS
		{-1, 0},
	};
	static const struct option admin[] = {
		{IPPROTO_IP, IP_ADD_MEMBERSHIP},
		{IPPROTO_IP, MCAST_JOIN_GROUP},
		{IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP},
		{IPPROTO_IPV6, IPV6_JOIN_ANYCAST},
		{IPPROTO_IPV6, MCAST_JOIN_GROUP},
		{IPPROTO_IP, 64}, // IPT_SO_SET_REPLACE
		{-1, 0},
	};
	static const struct option raw[] = {
		{SOL_SOCKET, SO_ATTACH_FILTER},
		{263, 5}, // PACKET_RX_RING
		{-1, 0},
	};
	_cleanup_json_ json_t *none = seccomp_default(0), *all = seccomp_default(~UINT64_C(0));

	assert_options(none, open, true);
	assert_options(all, open, true);
	assert_options(none, closed, false);
	assert_options(all, closed, false);
	assert_options(none, admin, false);
	assert_options(all, admin, true);
	assert_options(none, raw, false);
	assert_options(all, raw, true);
	// the kernel looks at the lower halves of the numbers
	assert_false(LETS(none, "setsockopt", 3, 1 | UINT64_C(1) << 32, SO_TIMESTAMP));
	assert_false(LETS(none, "setsockopt", 3, 1, SO_TIMESTAMP | UINT64_C(1) << 32));
}

// What is begun and not sent no cgroup counts.
static void nothing_is_left_unsent(void **)
{
	static const struct {
		const char *call;
		unsigned flags;
		uint64_t more;
	} calls[] = {
		{"sendto", 3, MSG_MORE},
		{"sendmsg", 2, MSG_MORE},
		{"sendmmsg", 3, MSG_MORE},
		{"splice", 5, SPLICE_F_MORE},
	};
	_cleanup_json_ json_t *filter = seccomp_default(~UINT64_C(0));

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		uint64_t args[6] = {0};

		assert_true(lets(filter, calls[i].call, args));
		args[calls[i].flags] = i < 3 ? MSG_DONTWAIT | MSG_NOSIGNAL : SPLICE_F_MOVE;
		assert_true(lets(filter, calls[i].call, args));
		args[calls[i].flags] |= calls[i].more;
		assert_false(lets(filter, calls[i].call, args));
	}
	for (unsigned advice = 0; advice < 6; advice++)
		assert_int_equal(LETS(filter, "fadvise64", 0, 0, 0, advice), advice != 4);
	assert_false(LETS(filter, "syncfs", 0));
}

// No call sets a bit that makes a program run as its owner or group.
static void no_set_id(void **)
{
	static const struct {
		const char *call;
		int mode, flags; // indices; -1: has none
	} calls[] = {
		{"open", 2, 1},
		{"openat", 3, 2},
		{"creat", 1, -1},
		{"chmod", 1, -1},
		{"fchmod", 1, -1},
		{"fchmodat", 2, -1},
		{"mq_open", 2, -1},
	};
	static const uint64_t bits[] = {S_ISUID, S_ISGID, S_ISUID | S_ISGID};
	static const uint64_t makes[] = {O_CREAT, O_TMPFILE, O_CREAT | O_EXCL | O_WRONLY};
	_cleanup_json_ json_t *filter = seccomp_default(~UINT64_C(0));

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		for (size_t k = 0; k < ARRAY_LEN(bits); k++) {
			uint64_t args[6] = {0};

			args[calls[i].mode] = 0755 | S_ISVTX;
			if (calls[i].flags >= 0)
				args[calls[i].flags] = makes[k];
			assert_true(lets(filter, calls[i].call, args));
			args[calls[i].mode] |= bits[k];
			assert_false(lets(filter, calls[i].call, args));
			// what is no mode is not looked at
			if (calls[i].flags >= 0) {
				args[calls[i].flags] = O_RDONLY | O_DIRECTORY;
				assert_true(lets(filter, calls[i].call, args));
			}
		}
	}
	assert_false(LETS(filter, "openat2", 0));
	assert_false(LETS(filter, "fchmodat2", 0));
}

// Every family, type and protocol; nothing but what is listed.
static void sockets(void **)
{
	enum {
		NONE = 0,
		RAW = 1 << 0,
		ADMIN = 1 << 1,
	};
	static const struct {
		int family, type, protocol, caps;
	} open[] = {
		{AF_UNIX, SOCK_STREAM, 0, NONE},
		{AF_UNIX, SOCK_DGRAM, 0, NONE},
		{AF_UNIX, SOCK_SEQPACKET, 0, NONE},
		{AF_INET, SOCK_STREAM, 0, NONE},
		{AF_INET, SOCK_STREAM, IPPROTO_TCP, NONE},
		{AF_INET, SOCK_DGRAM, 0, NONE},
		{AF_INET, SOCK_DGRAM, IPPROTO_UDP, NONE},
		{AF_INET, SOCK_DGRAM, IPPROTO_ICMP, RAW},
		{AF_INET, SOCK_RAW, -1, RAW},
		{AF_INET6, SOCK_STREAM, 0, NONE},
		{AF_INET6, SOCK_STREAM, IPPROTO_TCP, NONE},
		{AF_INET6, SOCK_DGRAM, 0, NONE},
		{AF_INET6, SOCK_DGRAM, IPPROTO_UDP, NONE},
		{AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, RAW},
		{AF_INET6, SOCK_RAW, -1, RAW},
		{AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, ADMIN},
		{AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE, ADMIN},
		{AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, ADMIN},
		{AF_NETLINK, SOCK_DGRAM, NETLINK_NETFILTER, ADMIN},
		{AF_PACKET, SOCK_RAW, -1, RAW},
		{AF_PACKET, SOCK_DGRAM, -1, RAW},
	};
	// of the Internet ICMP, IGMP, IPIP, TCP, UDP, DCCP, GRE, ICMPv6, SCTP, UDP-Lite, raw, MPTCP; and
	// all that netlink has
	static const int protocols[] = {0,  1,	2,  3,	4,  5,	 6,   7,   8,	9,   10, 11,
					12, 13, 14, 15, 16, 17,	 18,  19,  20,	21,  22, 33,
					47, 58, 94, 97, 98, 115, 132, 136, 137, 255, 262};
	json_t *with[4];

	for (int caps = 0; caps < 4; caps++) {
		_cleanup_json_ json_t *filter = seccomp_default(
			(caps & RAW ? UINT64_C(1) << CAP_NET_RAW : 0)
			| (caps & ADMIN ? UINT64_C(1) << CAP_NET_ADMIN : 0)
		);

		assert_null(free_rule(filter, "socket"));
		assert_true(LETS(filter, "socketpair", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
		assert_false(LETS(filter, "socketpair", AF_INET, SOCK_STREAM, 0));
		assert_false(LETS(filter, "socketpair", 30, SOCK_SEQPACKET, 0)); // AF_TIPC
		with[caps] = only(filter, "socket");
	}
	for (int caps = 0; caps < 4; caps++) {
		for (int family = 0; family < 48; family++) {
			for (int type = 0; type < 16; type++) {
				for (size_t k = 0; k < ARRAY_LEN(protocols); k++) {
					int protocol = protocols[k];
					int flags = protocol % 2 ? SOCK_CLOEXEC | SOCK_NONBLOCK : 0;
					bool want = false;

					for (size_t i = 0; i < ARRAY_LEN(open); i++)
						want = want
						       || (open[i].family == family
							   && open[i].type == type
							   && (open[i].protocol < 0
							       || open[i].protocol == protocol)
							   && (open[i].caps & ~caps) == 0);
					if (LETS(with[caps],
						 "socket",
						 (uint64_t)family,
						 (uint64_t)(type | flags),
						 (uint64_t)protocol)
					    != want)
						fail_msg("%d %d %d", family, type, protocol);
				}
			}
		}
	}
	for (int caps = 0; caps < 4; caps++)
		json_decref(with[caps]);
}

// ---- capabilities and the table

static void packet_sockets_want_net_raw(void **)
{
	_cleanup_json_ json_t *raw = seccomp_default(UINT64_C(1) << CAP_NET_RAW);
	_cleanup_json_ json_t *admin = seccomp_default(UINT64_C(1) << CAP_NET_ADMIN);
	_cleanup_json_ json_t *none = seccomp_default(0), *beyond = seccomp_beyond(raw, none);

	assert_true(LETS(raw, "socket", AF_PACKET, SOCK_RAW, 768));
	assert_false(LETS(none, "socket", AF_PACKET, SOCK_RAW, 768));
	assert_false(LETS(admin, "socket", AF_PACKET, SOCK_RAW, 768));
	assert_int_equal(json_array_size(beyond), 2);
	assert_string_equal(json_string_value(json_array_get(beyond, 0)), "setsockopt");
	assert_string_equal(json_string_value(json_array_get(beyond, 1)), "socket");
}

// What the table says is refused is a call, and no rule has it, whatever is granted.
static void refused_is_refused(void **)
{
	_cleanup_json_ json_t *filter = seccomp_default(~SECCOMP_QEMU);
	const json_t *rule, *name;
	size_t i, k;

	for (const struct seccomp_row *r = seccomp_refused; r->calls != NULL; r++) {
		_cleanup_free_ char *copy = strdup(r->calls);
		char *save = NULL;

		for (char *c = strtok_r(copy, " ", &save); c != NULL;
		     c = strtok_r(NULL, " ", &save)) {
			assert_int_not_equal(seccomp_syscall_resolve_name(c), __NR_SCMP_ERROR);
			json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
				json_array_foreach (json_object_get(rule, "names"), k, name)
					assert_string_not_equal(json_string_value(name), c);
			}
		}
	}
}

static void read_source(const char *path, char **ret)
{
	_cleanup_close_ int dir = open(getenv("PINFOLD_SOURCE"), O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(dir >= 0);
	assert_int_equal(fs_read(dir, path, 1u << 20, ret, NULL), 0);
}

static void page_says_how_many(void **)
{
	static const char words[] = "the default profile allows ";
	_cleanup_json_ json_t *filter = seccomp_default(0);
	_cleanup_free_ char *page = NULL;
	unsigned said = 0;

	read_source("docs/seccomp.md", &page);
	for (const char *at = page; (at = strstr(at, words)) != NULL; said++) {
		at += strlen(words);
		assert_int_equal(strtoul(at, NULL, 10), seccomp_count(filter));
	}
	assert_true(said > 0);
}

static void page_shows_the_table(void **)
{
	static const char begin[] = "<!-- table -->\n", end[] = "<!-- end -->";
	_cleanup_free_ char *page = NULL, *want = NULL;
	char *from, *to;
	size_t len;
	FILE *f = open_memstream(&want, &len);

	read_source("docs/seccomp.md", &page);
	from = strstr(page, begin);
	to = strstr(page, end);
	assert_non_null(from);
	assert_non_null(to);
	*to = '\0';
	seccomp_print_markdown(f);
	fclose(f);
	if (!str_eq(from + strlen(begin), want))
		fail_msg("docs/seccomp.md is not what pinfold seccomp show --markdown prints");
}

// ---- files

static json_t *check(const char *text, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	json_t *ret = NULL;

	if (jread_parse(text, strlen(text), "profile 'x'", &doc, err) < 0)
		return NULL;
	return seccomp_check(doc, "profile 'x'", &ret, err) == 0 ? ret : NULL;
}

#define RULE(text) "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[" text "]}"
#define READ "\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\""
#define ARG "\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\""

static void bad_files(void **)
{
	static const struct {
		const char *text, *like;
	} bad[] = {
		{"{}", "'defaultAction' is missing"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\"}", "'syscalls' is missing"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[]}", "does not refuse"},
		{"{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[]}", "does not refuse"},
		{"{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"syscalls\":[]}", "does not refuse"},
		{"{\"defaultAction\":1,\"syscalls\":[]}", "defaultAction"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":{}}", "syscalls"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[],\"archMap\":[]}",
		 "archMap"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[],\"listenerPath\":\"/x\"}",
		 "would decide"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":4096,"
		 "\"syscalls\":[]}",
		 "defaultErrnoRet"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[],"
		 "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"]}",
		 "only SCMP_ARCH_X86_64 may be open, not SCMP_ARCH_X86"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[],"
		 "\"architectures\":[\"SCMP_ARCH_X32\"]}",
		 "not SCMP_ARCH_X32"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[],"
		 "\"flags\":[\"SECCOMP_FILTER_FLAG_NEW_LISTENER\"]}",
		 "is not taken here"},
		{RULE("1"), "not an object"},
		{RULE("{\"action\":\"SCMP_ACT_ALLOW\"}"), "no 'names'"},
		{RULE("{\"names\":[],\"action\":\"SCMP_ACT_ALLOW\"}"), "no 'names'"},
		{RULE("{\"names\":[1],\"action\":\"SCMP_ACT_ALLOW\"}"), "not a string"},
		{RULE("{\"names\":[\"reed\"],\"action\":\"SCMP_ACT_ALLOW\"}"),
		 "'reed' is no system call"},
		{RULE("{\"names\":[\"read\"]}"), "'action' is missing"},
		{RULE("{\"names\":[\"read\"],\"action\":\"SCMP_ACT_TRACE\"}"), "not taken here"},
		{RULE("{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}"), "not taken here"},
		{RULE("{" READ ",\"includes\":{}}"), "includes"},
		{RULE("{" READ ",\"errnoRet\":1}"), "goes with SCMP_ACT_ERRNO"},
		{RULE("{" READ ",\"args\":[{}]}"), "'index' is missing"},
		{RULE("{" READ ",\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}"),
		 "index"},
		{RULE("{" READ ",\"args\":[{\"index\":0,\"value\":1,\"op\":\"EQ\"}]}"),
		 "not taken here"},
		{RULE("{" READ ",\"args\":[{" ARG "},{" ARG "}]}"), "two conditions"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = {0};
		_cleanup_json_ json_t *got = check(bad[i].text, &err);

		if (got != NULL)
			fail_msg("taken: %s", bad[i].text);
		if (strstr(err.msg, bad[i].like) == NULL || strchr(err.msg, '\n') != NULL)
			fail_msg("%s: '%s' is not like '%s'", bad[i].text, err.msg, bad[i].like);
	}
}

static void default_is_a_file(void **)
{
	_cleanup_json_ json_t *filter = seccomp_default(0), *copy = NULL, *beyond = NULL;
	_cleanup_free_ char *text = json_dumps(filter, 0);
	struct err err = {0};

	copy = check(text, &err);
	assert_non_null(copy);
	beyond = seccomp_beyond(copy, filter);
	assert_int_equal(json_array_size(beyond), 0);
	assert_int_equal(seccomp_count(copy), seccomp_count(filter));
	assert_ok(seccomp_check_init(copy, "it", &err), &err);
}

static void whose_file(void **)
{
	char path[] = "/tmp/seccomp-XXXXXX", dir[] = "/tmp";
	int fd = mkstemp(path);
	_cleanup_json_ json_t *got = NULL;
	struct err err = {0};

	if (geteuid() != 0) {
		unlink(path);
		skip_because("gives a file away: needs root");
	}
	assert_true(dprintf(fd, "%s", RULE("{" READ "}")) > 0);
	assert_ok(seccomp_read(path, true, NULL, &got, &err), &err);
	json_decref(steal_ptr(got));
	assert_fails(seccomp_read(path, true, dir, &got, &err), &err, "lies in image");
	assert_ok(seccomp_read(path, true, "/tm", &got, &err), &err);
	json_decref(steal_ptr(got));
	assert_int_equal(fchmod(fd, 0620), 0);
	assert_fails(seccomp_read(path, true, NULL, &got, &err), &err, "must belong to root");
	assert_int_equal(fchmod(fd, 0602), 0);
	assert_fails(seccomp_read(path, true, NULL, &got, &err), &err, "must belong to root");
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(fchown(fd, 1000, 0), 0);
	assert_fails(seccomp_read(path, true, NULL, &got, &err), &err, "must belong to root");
	assert_ok(seccomp_read(path, false, NULL, &got, &err), &err);
	assert_fails(seccomp_read(dir, false, NULL, &got, &err), &err, "not a file");
	close(fd);
	unlink(path);
	assert_fails(seccomp_read(path, false, NULL, &got, &err), &err, "No such file");
}

// ---- narrowing

static json_t *narrow(const char *rules, struct err *err)
{
	_cleanup_json_ json_t *base = seccomp_default(0), *profile = check(rules, err);
	json_t *ret = NULL;

	assert_non_null(profile);
	return seccomp_narrow(profile, base, "it", &ret, err) == 0 ? ret : NULL;
}

static void narrow_takes_away(void **)
{
	_cleanup_json_ json_t *base = seccomp_default(0), *filter, *beyond;
	struct err err = {0};

	filter =
		narrow(RULE("{" READ "},{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\"}"),
		       &err);
	assert_non_null(filter);
	beyond = seccomp_beyond(filter, base);
	assert_int_equal(json_array_size(beyond), 0);
	assert_non_null(free_rule(filter, "read"));
	assert_non_null(free_rule(filter, "wait4")); // pinfold's init
	assert_null(free_rule(filter, "mkdir"));
	// named without a condition, it has those of the default one
	assert_null(free_rule(filter, "socket"));
	assert_true(LETS(filter, "socket", AF_UNIX, SOCK_STREAM, 0));
	assert_false(LETS(filter, "socket", AF_PACKET, SOCK_RAW, 0));
	assert_null(free_rule(filter, "clone"));
	assert_true(LETS(filter, "clone", 17));
	assert_false(LETS(filter, "clone", CLONE_NEWUSER | 17));
}

static void narrow_keeps_conditions(void **)
{
	_cleanup_json_ json_t *filter;
	struct err err = {0};

	filter = narrow(
		RULE("{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{" ARG "}]},"
		     "{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_KILL\"}"),
		&err
	);
	assert_non_null(filter);
	// one that is wider than the default's lines lets through what those do
	assert_true(LETS(filter, "socket", AF_UNIX, SOCK_STREAM, 0));
	assert_false(LETS(filter, "socket", AF_UNIX, SOCK_STREAM, 1));
	assert_false(LETS(filter, "socket", AF_INET, SOCK_STREAM, 0));
	assert_false(LETS(filter, "socket", AF_NETLINK, SOCK_RAW, 0));
	json_decref(steal_ptr(filter));
	// and one that is narrower is kept
	filter =
		narrow(RULE("{\"names\":[\"fchmod\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
			    "{\"index\":0,\"value\":3,\"op\":\"SCMP_CMP_EQ\"},"
			    "{\"index\":1,\"value\":3072,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}"),
		       &err);
	assert_non_null(filter);
	assert_true(LETS(filter, "fchmod", 3, 0755));
	assert_false(LETS(filter, "fchmod", 3, 04755));
	assert_false(LETS(filter, "fchmod", 4, 0755));
}

static void narrow_never_adds(void **)
{
	static const char *const more[] = {
		RULE("{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\"}"),
		RULE("{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_LOG\"}"),
		RULE("{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
		     "{\"index\":0,\"value\":17,\"op\":\"SCMP_CMP_EQ\"}]}"),
		RULE("{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
		     "{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_GE\"}]}"),
		RULE("{\"names\":[\"fchmod\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
		     "{\"index\":0,\"value\":3,\"op\":\"SCMP_CMP_EQ\"}]}"),
		RULE("{\"names\":[\"openat2\"],\"action\":\"SCMP_ACT_ALLOW\"}"),
		RULE("{\"names\":[\"unshare\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{" ARG "}]}"
		),
	};

	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		struct err err = {0};
		_cleanup_json_ json_t *filter = narrow(more[i], &err);

		if (filter != NULL || strstr(err.msg, "can only narrow") == NULL)
			fail_msg("%s: %s", more[i], err.msg);
	}
}

static void init_is_within_the_default(void **)
{
	_cleanup_json_ json_t *filter;
	struct err err = {0};

	filter = narrow(RULE(""), &err);
	assert_non_null(filter);
	assert_non_null(free_rule(filter, "execve"));
	assert_null(free_rule(filter, "set_mempolicy"));
}

// ---- recordings

static void notifying_opens_nothing(void **)
{
	_cleanup_json_ json_t *base = seccomp_default(0), *filter;
	const json_t *rule;
	size_t i, asks = 0;

	filter = seccomp_notifying(base, "/run/pinfold/x.sock");
	assert_string_equal(
		json_string_value(json_object_get(filter, "listenerPath")), "/run/pinfold/x.sock"
	);
	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		const json_t *was = json_array_get(json_object_get(base, "syscalls"), i);

		assert_false(allowed(rule));
		asks +=
			str_eq(json_string_value(json_object_get(rule, "action")),
			       "SCMP_ACT_NOTIFY");
		assert_true(
			json_equal(json_object_get(rule, "names"), json_object_get(was, "names"))
		);
		if (json_object_get(was, "args") != NULL)
			assert_true(json_equal(
				json_object_get(rule, "args"), json_object_get(was, "args")
			));
	}
	assert_int_equal(asks, json_array_size(json_object_get(base, "syscalls")) - 1);
	assert_int_equal(seccomp_count(filter), 0);
}

static void recording_is_a_strict_file(void **)
{
	_cleanup_json_ json_t *names = json_pack("[s, s]", "read", "mmap"), *profile, *filter;
	_cleanup_free_ char *text = NULL;
	bool conditions[SECCOMP_CONDITIONS_MAX] = {false};
	struct err err = {0};

	for (size_t i = 0; seccomp_conditions[i].call != NULL; i++)
		conditions[i] = str_eq(seccomp_conditions[i].when, "AF_UNIX, SOCK_DGRAM");
	profile = seccomp_of_calls(names, conditions);
	assert_int_equal(seccomp_count(profile), 4); // a pair too
	text = json_dumps(profile, 0);
	filter = narrow(text, &err);
	assert_non_null(filter);
	assert_true(LETS(filter, "socket", AF_UNIX, SOCK_DGRAM, 0));
	assert_false(LETS(filter, "socket", AF_UNIX, SOCK_STREAM, 0));
	assert_false(LETS(filter, "socket", AF_INET, SOCK_DGRAM, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_and_once),
		cmocka_unit_test(nothing_dangerous),
		cmocka_unit_test(conditions),
		cmocka_unit_test(commands),
		cmocka_unit_test(commands_beside_uio),
		cmocka_unit_test(sockets_beside_a_driver),
		cmocka_unit_test(options),
		cmocka_unit_test(nothing_is_left_unsent),
		cmocka_unit_test(no_set_id),
		cmocka_unit_test(sockets),
		cmocka_unit_test(packet_sockets_want_net_raw),
		cmocka_unit_test(refused_is_refused),
		cmocka_unit_test(page_shows_the_table),
		cmocka_unit_test(page_says_how_many),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(default_is_a_file),
		cmocka_unit_test(whose_file),
		cmocka_unit_test(narrow_takes_away),
		cmocka_unit_test(narrow_keeps_conditions),
		cmocka_unit_test(narrow_never_adds),
		cmocka_unit_test(init_is_within_the_default),
		cmocka_unit_test(notifying_opens_nothing),
		cmocka_unit_test(recording_is_a_strict_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Sockets by family, type and protocol: each protocol is a part of the kernel of its own.

#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/files.h"
#include "inside/probe.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

struct kind {
	const char *name;
	int family, type, protocol;
};

static const struct kind kinds[] = {
	{"packet", AF_PACKET, SOCK_RAW, 0},
	{"packet-dgram", AF_PACKET, SOCK_DGRAM, 0},
	{"raw-icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP},
	{"raw", AF_INET, SOCK_RAW, IPPROTO_RAW},
	{"raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
	{"ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
	{"ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
	{"mptcp", AF_INET, SOCK_STREAM, IPPROTO_MPTCP},
	{"mptcp6", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP},
	{"udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
	{"udplite6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE},
	{"sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP},
	{"sctp-seqpacket", AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP},
	{"dccp", AF_INET, SOCK_DCCP, IPPROTO_DCCP},
	{"l2tp", AF_INET, SOCK_DGRAM, 115},
	{"netlink-sock-diag", AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG},
	{"netlink-xfrm", AF_NETLINK, SOCK_RAW, NETLINK_XFRM},
	{"netlink-audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT},
	{"netlink-netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER},
	{"netlink-uevent", AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT},
	{"netlink-generic", AF_NETLINK, SOCK_RAW, NETLINK_GENERIC},
	{"netlink-crypto", AF_NETLINK, SOCK_DGRAM, NETLINK_CRYPTO},
	{"vsock", AF_VSOCK, SOCK_STREAM, 0},
	{"alg", AF_ALG, SOCK_SEQPACKET, 0},
	{"key", AF_KEY, SOCK_RAW, 2},
	{"xdp", AF_XDP, SOCK_RAW, 0},
	{"tipc", AF_TIPC, SOCK_STREAM, 0},
};

// They go with the child.
static int64_t open_one(const void *arg)
{
	const struct kind *k = arg;

	return socket(k->family, k->type | SOCK_CLOEXEC, k->protocol) < 0 ? errno : 0;
}

static int64_t open_pair(const void *arg)
{
	const struct kind *k = arg;
	int pair[2];

	return socketpair(k->family, k->type | SOCK_CLOEXEC, k->protocol, pair) < 0 ? errno : 0;
}

// What the kernel does not have is not reached either.
static bool refused(int64_t (*fn)(const void *arg), const struct kind *k)
{
	int64_t code = 0;
	int r = probe_in_child(fn, k, &code);

	if (r > 0)
		return r == SIGSYS;
	return r == 0 && !str_eq(probe_reach(code), "reachable");
}

static void sockets(const struct audit *, struct finding *f)
{
	static const struct kind pair = {"pair-tipc", AF_TIPC, SOCK_STREAM, 0};
	_cleanup_names_ struct names open = {0};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!refused(open_one, &kinds[i]))
			names_add(&open, kinds[i].name);
	}
	if (!refused(open_pair, &pair))
		names_add(&open, pair.name);
	if (open.n > 0)
		fail(f,
		     "%zu of %zu kinds opened: %s",
		     open.n,
		     ARRAY_LEN(kinds) + 1,
		     name_list(&open, 16));
	else
		pass(f, "none of %zu kinds", ARRAY_LEN(kinds) + 1);
}

const struct property audit_sockets[] = {
	{"sockets",
	 "open raw, packet, netlink, SCTP, MPTCP, vsock, AF_ALG and other sockets",
	 sockets},
	{0},
};

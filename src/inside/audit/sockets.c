// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Sockets by family, type and protocol: each protocol is a part of the kernel of its own.

#include "base/scope.h"
#include "grant/caps.h"
#include "inside/audit/audit.h"
#include "inside/files.h"
#include "inside/probe.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

struct kind {
	const char *name;
	int family, type, protocol;
	unsigned cap; // what opens it; 0 (CAP_CHOWN): nothing
};

static const struct kind kinds[] = {
	{"packet", AF_PACKET, SOCK_RAW, 0, CAP_NET_RAW},
	{"packet-dgram", AF_PACKET, SOCK_DGRAM, 0, CAP_NET_RAW},
	{"raw-icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP, CAP_NET_RAW},
	{"raw", AF_INET, SOCK_RAW, IPPROTO_RAW, CAP_NET_RAW},
	{"raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, CAP_NET_RAW},
	{"ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, CAP_NET_RAW},
	{"ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, CAP_NET_RAW},
	{"mptcp", AF_INET, SOCK_STREAM, IPPROTO_MPTCP, 0},
	{"mptcp6", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP, 0},
	{"udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, 0},
	{"udplite6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, 0},
	{"sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP, 0},
	{"sctp-seqpacket", AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP, 0},
	{"dccp", AF_INET, SOCK_DCCP, IPPROTO_DCCP, 0},
	{"l2tp", AF_INET, SOCK_DGRAM, 115, 0},
	{"netlink-route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, CAP_NET_ADMIN},
	{"netlink-sock-diag", AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, 0},
	{"netlink-xfrm", AF_NETLINK, SOCK_RAW, NETLINK_XFRM, 0},
	{"netlink-audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT, 0},
	{"netlink-netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, CAP_NET_ADMIN},
	{"netlink-uevent", AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT, 0},
	{"netlink-generic", AF_NETLINK, SOCK_RAW, NETLINK_GENERIC, 0},
	{"netlink-crypto", AF_NETLINK, SOCK_DGRAM, NETLINK_CRYPTO, 0},
	{"vsock", AF_VSOCK, SOCK_STREAM, 0, 0},
	{"alg", AF_ALG, SOCK_SEQPACKET, 0, 0},
	{"key", AF_KEY, SOCK_RAW, 2, 0},
	{"xdp", AF_XDP, SOCK_RAW, 0, 0},
	{"tipc", AF_TIPC, SOCK_STREAM, 0, 0},
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

static bool granted(const struct given *g, const struct kind *k)
{
	return k->cap != 0 && cap_has(g->caps, k->cap);
}

static void sockets(const struct audit *a, struct finding *f)
{
	static const struct kind pair = {"pair-tipc", AF_TIPC, SOCK_STREAM, 0, 0};
	_cleanup_names_ struct names open = {0};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!granted(&a->given, &kinds[i]) && !refused(open_one, &kinds[i]))
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
		pass(f, "none of %zu kinds that is not granted", ARRAY_LEN(kinds) + 1);
}

const struct property audit_sockets[] = {
	{"sockets",
	 "open raw, packet, netlink, SCTP, MPTCP, vsock, AF_ALG and other sockets",
	 sockets},
	{0},
};

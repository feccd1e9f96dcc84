// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/function.h"

#define PORTS                     \
	"[port 0]\n"              \
	"name=in\n"               \
	"mac=02:00:00:00:00:0a\n" \
	"[port 1]\n"              \
	"name=out\n"              \
	"mac=02:00:00:00:00:0b\n" \
	"[core 0]\n"              \
	"mode=master\n"

#define FORWARD          \
	"[core 1]\n"     \
	"name=forward\n" \
	"task=0\n"       \
	"rx port=in\n"   \
	"tx port=out\n"

#define TESTER               \
	"[port 0]\n"         \
	"name=out\n"         \
	"[port 1]\n"         \
	"name=back\n"        \
	"[defaults]\n"       \
	"mempool size=16K\n" \
	"[core 0]\n"         \
	"mode=master\n"      \
	"[core 1]\n"         \
	"name=tester\n"

// One way: what goes out of the first port comes back by the second.
#define ONE_WAY(keys)             \
	TESTER                    \
	"task=0\n"                \
	"mode=gen\n"              \
	"tx port=out\n"           \
	"rate=1000\n"             \
	"$size\n" keys "task=1\n" \
	"mode=lat\n"              \
	"rx port=back\n"

static const struct frame_size sizes[] = {
	{"64", "pkt size=60", NULL},
	{"128", "pkt size=124", NULL},
	{"256", "pkt size=252", NULL},
	{"512", "pkt size=508", NULL},
	{"1024", "pkt size=1020", NULL},
	{"1280", "pkt size=1276", NULL},
	{"1518", "pkt size=1514", NULL},
	{"IMIX", "imix=60:7,590:4,1514:1", NULL},
	{NULL, NULL, NULL},
};

// The same packet on both sides of the tunnel: 22 bytes of headers on one, 46 on the other. With a meter no smaller one
// is possible.
static const struct frame_size bng_sizes[] = {
	{"72", "pkt size=68", "pkt size=92"},
	{"512", "pkt size=508", "pkt size=532"},
	{"1494", "pkt size=1490", "pkt size=1514"},
	{"IMIX", "imix=68:7,572:4,1490:1", "imix=92:7,596:4,1514:1"},
	{NULL, NULL, NULL},
};

const struct function function_none = {
	.name = "none",
	.vnf = PORTS "[defaults]\nmempool size=8K\n" FORWARD "mode=none\n",
	.tester = ONE_WAY(""),
	.sizes = sizes,
	.pages = 64,
};

const struct function function_l2fwd = {
	.name = "l2fwd",
	.vnf = PORTS "[defaults]\nmempool size=8K\n" FORWARD "mode=l2fwd\n",
	.tester = ONE_WAY(""),
	.sizes = sizes,
	.pages = 64,
};

// 4096 routes in turn to 64 next hops, destinations at random.
const struct function function_l3fwd = {
	.name = "l3fwd",
	.vnf = "[lua]\n"
	       "hops, list = {}, {}\n"
	       "for i = 0, 63 do\n"
	       "  hops[i + 1] = {id = i, port_id = 0, ip = ip(\"192.0.2.\" .. i + 1),\n"
	       "    mac = mac(string.format(\"02:00:00:00:01:%02x\", i)), mpls = 0}\n"
	       "end\n"
	       "for i = 0, 4095 do\n"
	       "  list[i + 1] = {cidr = {ip = ip(string.format(\"16.%d.%d.0\", i // 256, i % "
	       "256)),\n"
	       "    depth = 24}, next_hop_id = i % 64}\n"
	       "end\n"
	       "lpm4 = {next_hops = hops, routes = list}\n" PORTS "[defaults]\nmempool size=8K\n"
	       "[core 1]\n"
	       "name=forward\n"
	       "task=0\n"
	       "mode=routing\n"
	       "rx port=in\n"
	       "tx ports from routing table=out\n"
	       "route table=lpm4\n",
	.tester = ONE_WAY("dst mac=02:00:00:00:00:0a\n"
			  "random=dst ip:16.0.0.0-16.15.255.255\n"),
	.sizes = sizes,
	.pages = 96,
};

// 65536 subscribers, both ways on one core: out of two tags into GRE behind an MPLS label, and back.
const struct function function_bng = {
	.name = "BNG",
	.vnf = "[lua]\n"
	       "users = {}\n"
	       "for svlan = 1, 64 do\n"
	       "  for cvlan = 1, 1024 do\n"
	       "    key = (svlan - 1) * 1024 + cvlan - 1\n"
	       "    users[key + 1] = {gre_id = key, svlan_id = svlan, cvlan_id = cvlan, user_id = "
	       "key}\n"
	       "  end\n"
	       "end\n"
	       "hop = {id = 0, port_id = 0, ip = ip(\"192.0.2.1\"), mac = "
	       "mac(\"02:00:00:00:00:01\"), mpls = 100}\n"
	       "routes = {next_hops = {hop}, routes = {{cidr = cidr(\"198.18.0.0/15\"), "
	       "next_hop_id = 0}}}\n" PORTS "[defaults]\nmempool size=16K\n"
	       "[core 1]\n"
	       "name=worker\n"
	       "task=0\n"
	       "mode=qinqdecapv4\n"
	       "rx port=in\n"
	       "tx ports from routing table=out\n"
	       "route table=routes\n"
	       "user table=users\n"
	       "local ipv4=192.0.2.254\n"
	       "task=1\n"
	       "mode=qinqencapv4\n"
	       "rx port=out\n"
	       "tx ports from cpe table=in\n"
	       "user table=users\n"
	       "local ipv4=192.0.2.254\n",
	.tester = TESTER "task=0\n"
			 "mode=gen\n"
			 "tx port=out\n"
			 "template=eth/qinq/ipv4/udp\n"
			 "dst mac=02:00:00:00:00:0a\n"
			 "dst ip=198.18.0.1\n"
			 "range=cvlan:1-1024\n"
			 "range=svlan:1-64 carry\n"
			 "range=src ip:10.1.0.0-10.1.255.255\n"
			 "$size\n"
			 "rate=1000\n"
			 "lat pos=end\n"
			 "task=1\n"
			 "mode=gen\n"
			 "tx port=back\n"
			 "template=eth/mpls/ipv4/gre/ipv4/udp\n"
			 "dst mac=02:00:00:00:00:0b\n"
			 "label=100\n"
			 "src ip=198.18.0.1\n"
			 "range=gre key:0-65535\n"
			 "range=dst ip:10.1.0.0-10.1.255.255\n"
			 "$back\n"
			 "rate=1000\n"
			 "lat pos=end\n"
			 "task=2\n"
			 "mode=lat\n"
			 "rx port=out\n"
			 "lat pos=end\n"
			 "task=3\n"
			 "mode=lat\n"
			 "rx port=back\n"
			 "lat pos=end\n",
	.sizes = bng_sizes,
	.pages = 160,
	.warm_up = 200000,
};

// 84 bytes each: 60, and the 24 of CRC, preamble and gap.
const struct function function_policed = {
	.name = "policed",
	.vnf = PORTS "[defaults]\nmempool size=8K\n" FORWARD "mode=police\n"
		     "cir=16800000\n"
		     "cbs=16800\n"
		     "ebs=0\n",
	.tester = ONE_WAY(""),
	.sizes = sizes,
	.pages = 64,
};
_Static_assert(16800000 / 84 == (long)FUNCTION_POLICED, "");

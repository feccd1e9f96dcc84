// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// routing (l3fwd, paper §6.1.3): IPv4 packets go where the longest prefix leads (RFC 1812): Ethernet
// addresses are those of the next machine and of the output, the time to live is one less. With
// "mpls=yes" the next hop's label is put in front.

#include "config/table_keys.h"
#include "task/output.h"
#include "task/own_address.h"
#include "task/proto/frame_kind.h"
#include "task/proto/icmp.h"
#include "task/proto/ip4.h"
#include "task/task.h"

#include "table/route.h"
#include "table/tables.h"

#include <rte_prefetch.h>
#include <rte_vect.h>
#include <string.h>

#define L2 RTE_ETHER_HDR_LEN
#define LABEL 4
#define LABEL_TTL 64
#define AHEAD 4 // packets whose headers are fetched before they are looked at

struct routing_conf {
	char routes[KEY_TEXT_MAX];
	bool mpls, source_route;
	struct icmp_conf icmp;
};

struct routing {
	struct route_view view;
	bool mpls, source_route;
	struct icmp icmp;
	struct own own;
	__m128i ours; // icmp.from, four times
	unsigned noutputs;
	struct output outputs[SPEC_HOP_PORTS];
};

#define DROPS(DROP)                         \
	DROP(SHORT, "too short")            \
	DROP(NOT_IPV4, "not ipv4")          \
	DROP(GROUP, "to a group")           \
	DROP(HEADER, "bad header")          \
	DROP(SUM, "bad checksum")           \
	DROP(TTL, "ttl expired")            \
	DROP(NO_ROUTE, "no route")          \
	DROP(TOO_LONG, "too long")          \
	DROP(HEADROOM, "no headroom")       \
	DROP(OTHER, "for another host")     \
	DROP(SOURCE, "bad source")          \
	DROP(SOURCE_ROUTE, "source routed") \
	DROP(TO_US, "to this router")       \
	KIND_DROPS(DROP)

TASK_DROP_REASONS(DROPS);
static_assert(DROP_KIND_TAG == DROP_KIND + KIND_TAG, "in the order of enum frame_kind");

#define TAKEN UINT32_MAX // the packet has gone another way

static __rte_always_inline bool ordinary(
	const struct routing *r, const struct rte_mbuf *m, const struct rte_ether_hdr *eth
)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);

	return own_ordinary(&r->own, m) && ip4_plain(ip4_tail(ip), IP4_ENDS, r->ours);
}

// The first 16 bytes are those of the hop but for the IPv4 header's two.
static __rte_always_inline void write_head(struct rte_mbuf *m, const struct hop_head *head)
{
	__m128i *at = rte_pktmbuf_mtod(m, __m128i *);
	__m128i v = _mm_blend_epi16(
		_mm_load_si128((const __m128i *)head->bytes), _mm_loadu_si128(at), 0x80
	);

	_mm_storeu_si128(at, v);
}

static __rte_noinline bool write_label(struct rte_mbuf *m, const struct hop_head *head)
{
	char *at = rte_pktmbuf_prepend(m, LABEL);

	if (at == NULL)
		return false;
	memcpy(at, head->bytes, L2 + LABEL);
	return true;
}

// Sends it back to where the destination of its IPv4 header, with which it begins, leads. False: nowhere.
static bool answer(struct task *t, struct rte_mbuf *m)
{
	struct routing *r = t->state;
	const struct route_live *live = route_live(&r->view);
	uint32_t to = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *)->dst_addr;
	uint32_t hop = fib_find(live->fib, rte_be_to_cpu_32(to));
	const struct hop_head *head = &live->heads[hop];

	if (hop == 0 || m->pkt_len > head->mtu || rte_pktmbuf_prepend(m, L2) == NULL)
		return false;
	if (!r->mpls)
		write_head(m, head);
	else if (!write_label(m, head))
		return false;
	task_put(t, head->port, m, &t->put_bytes);
	return true;
}

// Drops it, and tells its sender where that is configured, by the way that leads there. error 0: not
// this one; mtu: of ICMP_TOO_LONG.
static __rte_noinline void give_up(
	struct task *t, unsigned why, unsigned error, struct rte_mbuf *m, unsigned mtu
)
{
	struct routing *r = t->state;
	const struct route_live *live = route_live(&r->view);
	uint32_t to;

	if (r->icmp.from == 0 || error == 0) {
		task_drop(t, why, m);
		return;
	}
	t->counters.drops[why]++;
	rte_pktmbuf_adj(m, L2);
	to = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *)->src_addr;
	if (fib_find(live->fib, rte_be_to_cpu_32(to)) == 0
	    || !icmp_answer(&r->icmp, m, error, mtu, L2 + LABEL) || !answer(t, m))
		rte_pktmbuf_free(m);
}

static const uint8_t faults[] = IP4_DROPS;

// What to drop it for, 0, or TAKEN. It may begin elsewhere then.
static __rte_noinline unsigned judge(struct task *t, struct rte_mbuf *m)
{
	struct routing *r = t->state;
	const struct rte_ether_hdr *eth;
	const struct rte_ipv4_hdr *ip;
	enum ip4_fault fault;
	enum frame_kind kind;
	bool group;

	if (!mbuf_pull(m, L2))
		return DROP_SHORT;
	if (rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type
	    == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN))
		frame_untag(m);
	eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	ip = (const struct rte_ipv4_hdr *)(eth + 1);
	if (eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
		kind = frame_kind(eth->ether_type);
		return kind == KIND_END ? DROP_NOT_IPV4 : DROP_KIND + kind;
	}
	group = (eth->dst_addr.addr_bytes[0] & 1) != 0;
	if (group || !own_takes(&r->own, m))
		return group ? DROP_GROUP : DROP_OTHER;
	fault = ip4_check(m, L2);
	if (fault != IP4_OK && !(fault == IP4_SOURCE && r->source_route))
		return faults[fault];
	if (ip4_group(ip->dst_addr))
		return DROP_GROUP;
	if (ip4_nowhere(ip->src_addr) || ip->src_addr == r->icmp.from)
		return DROP_SOURCE;
	if (ip4_nowhere(ip->dst_addr))
		return DROP_NO_ROUTE;
	if (ip->dst_addr == r->icmp.from) {
		rte_pktmbuf_adj(m, L2);
		return icmp_echo(&r->icmp, m) && answer(t, m) ? TAKEN : DROP_TO_US;
	}
	return ip->time_to_live <= 1 ? DROP_TTL : 0;
}

// The packets that can be routed stay, with their destinations.
static __rte_always_inline uint16_t
take_in(struct task *t, struct rte_mbuf **m, uint16_t n, struct fib fib, uint32_t *ips)
{
	const struct routing *r = t->state;
	uint32_t bytes = 0;
	uint16_t out = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m[i], struct rte_ether_hdr *);
		unsigned why = 0;

		if (i + AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], void *));
		bytes += m[i]->pkt_len;
		if (unlikely(ip4_look(m[i], L2) != IP4_OK || !ordinary(r, m[i], eth))) {
			why = judge(t, m[i]);
			eth = rte_pktmbuf_mtod(m[i], struct rte_ether_hdr *);
		}
		if (unlikely(why != 0)) {
			if (why != TAKEN)
				give_up(t, why, why == DROP_TTL ? ICMP_TTL : 0, m[i], 0);
			continue;
		}
		ips[out] = rte_be_to_cpu_32(((const struct rte_ipv4_hdr *)(eth + 1))->dst_addr);
		fib_prefetch(&fib, ips[out]);
		m[out++] = m[i];
	}
	t->counters.rx_bytes += bytes;
	return out;
}

static uint16_t poll_routing(struct task *t)
{
	struct routing *r = t->state;
	const struct route_live *live = route_live(&r->view);
	const struct fib fib = *live->fib;
	struct rte_mbuf *m[BURST];
	uint32_t sent = 0;
	uint32_t ips[BURST];
	uint16_t got = task_rx(t, m), n;

	if (got == 0)
		return 0;
	task_prefetch(m, got);
	for (uint16_t i = 0; i < AHEAD && i < got; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	n = take_in(t, m, got, fib, ips);
	for (uint16_t i = 0; i < n; i++) {
		const uint32_t hop = fib_find(&fib, ips[i]);
		const struct hop_head *head = &live->heads[hop];

		if (unlikely(hop == 0)) {
			give_up(t, DROP_NO_ROUTE, ICMP_NET, m[i], 0);
			continue;
		}
		if (unlikely(m[i]->pkt_len - L2 > head->mtu)) {
			give_up(t, DROP_TOO_LONG, ICMP_TOO_LONG, m[i], head->mtu);
			continue;
		}
		ip4_age(rte_pktmbuf_mtod_offset(m[i], struct rte_ipv4_hdr *, L2));
		if (likely(!r->mpls)) {
			write_head(m[i], head);
		} else if (!write_label(m[i], head)) {
			task_drop(t, DROP_HEADROOM, m[i]);
			continue;
		}
		task_put(t, head->port, m[i], &sent);
	}
	task_flush(t, sent);
	return got;
}

static void fill_head(const void *arg, const struct hop *hop, struct hop_head *head)
{
	const struct routing *r = arg;
	const struct output *o = &r->outputs[hop->port];
	struct rte_ether_hdr eth = {.src_addr = o->mac};
	uint32_t label = rte_cpu_to_be_32(hop->mpls << 12 | 1 << 8 | LABEL_TTL);

	memcpy(&eth.dst_addr, hop->mac, sizeof(hop->mac));
	eth.ether_type = rte_cpu_to_be_16(r->mpls ? RTE_ETHER_TYPE_MPLS : RTE_ETHER_TYPE_IPV4);
	memcpy(head->bytes, &eth, sizeof(eth));
	memcpy(head->bytes + sizeof(eth), &label, sizeof(label));
	head->mtu = r->mpls && o->mtu != UINT16_MAX ? o->mtu - LABEL : o->mtu;
}

static int init_routing(struct task *t, const void *arg, struct err *err)
{
	const struct routing_conf *c = arg;
	struct route_table *table;
	struct routing *r = t->state;

	if (c->routes[0] == '\0')
		return err_set(err, EINVAL, "mode routing wants a route table=");
	if (tables_routes(c->routes, t->socket, &table, err) < 0)
		return -err->code;
	r->mpls = c->mpls;
	r->source_route = c->source_route;
	own_init(&r->own, t, rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4));
	icmp_init(&r->icmp, &c->icmp);
	r->ours = _mm_set1_epi32((int)r->icmp.from);
	r->noutputs = t->nout < SPEC_HOP_PORTS ? t->nout : SPEC_HOP_PORTS;
	for (unsigned i = 0; i < r->noutputs; i++)
		r->outputs[i] = output_of(t, i);
	t->poll = poll_routing;
	return route_view_make(table, r->noutputs, fill_head, r, t->socket, &r->view, err);
}

static void done_routing(struct task *t)
{
	struct routing *r = t->state;

	route_view_done(&r->view);
}

static void report_routing(struct task *t, void *object)
{
	const struct routing *r = t->state;

	icmp_report(&r->icmp, object);
}

static void clear_routing(struct task *t)
{
	struct routing *r = t->state;

	icmp_clear(&r->icmp);
}

#define KEY_CONF struct routing_conf
static const struct key keys[] = {
	KEY_ROUTE_TABLE(routes),
	KEY_BOOL("mpls", mpls, "the next hop's label is put in front"),
	KEY_SOURCE_ROUTE(source_route),
	ICMP_KEYS(icmp),
	{NULL},
};

static struct task_mode routing = {
	.name = "routing",
	.alias = "l3fwd",
	.help = "IPv4 packets go where the longest prefix leads",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.keys = keys,
	.conf_size = sizeof(struct routing_conf),
	TASK_DROP_NAMES,
	.state_size = sizeof(struct routing),
	.puts = true,
	.init = init_routing,
	.done = done_routing,
	.report = report_routing,
	.clear = clear_routing,
};
TASK_MODE(routing)

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// qinqdecapv4: upstream half of the BNG (paper §6.3). The two tags say who the subscriber is, the
// destination which way the packet goes; it leaves in GRE with the subscriber's key, behind the next
// hop's label. On the way the CPE's address, MAC and port are learned, for the other half.

#include "task/vnf/qinqdecap.h"
#include "config/table_keys.h"
#include "task/proto/ip4.h"

#include "table/route.h"
#include "table/tables.h"

#include <jansson.h>
#include <rte_prefetch.h>
#include <rte_vect.h>
#include <string.h>

#define AHEAD 4
#define TTL 64 // of label and outer header
#define GROWS (TUNNEL_LEN - QINQ_LEN)
// Polls with packets between two looks at the clock. One without looks as well, so that it does not
// stand still where packets are rare.
#define CLOCK_POLLS 64

struct qinqdecap_conf {
	char routes[KEY_TEXT_MAX], users[KEY_TEXT_MAX];
	uint32_t local, stype, gateway;
	bool arp, fast_arp, source_route;
	uint32_t age; // of qinqencapv4, whose tasks of the same user table get it
	struct icmp_conf icmp;
};

struct taken {
	uint32_t ip[BURST];		 // destinations, host order
	struct user_entry *entry[BURST]; // of the tags
};

static __rte_always_inline bool ordinary(const struct qinqdecap *q, const struct rte_mbuf *m)
{
	const struct qinq_hdr *h = rte_pktmbuf_mtod(m, const struct qinq_hdr *);
	uint64_t v;

	memcpy(&v, &h->ctype, sizeof(v));
	return own_ordinary(&q->own, m) && (v & QINQ_TYPES_MASK) == QINQ_CTAG_IPV4
	       && ip4_plain(ip4_tail((const struct rte_ipv4_hdr *)(h + 1)), IP4_ENDS, q->ours_wide);
}

static __rte_always_inline uint16_t
take_in(struct task *t,
	struct rte_mbuf **m,
	uint16_t n,
	struct user_live *users,
	struct fib fib,
	struct taken *ret)
{
	const struct qinqdecap *q = t->state;
	uint32_t bytes = 0;
	uint16_t out = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct qinq_hdr *h = rte_pktmbuf_mtod(m[i], struct qinq_hdr *);
		const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(h + 1);
		unsigned why = 0;
		uint64_t v;

		if (i + AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], void *));
		bytes += m[i]->pkt_len;
		if (unlikely(ip4_look(m[i], QINQ_LEN) != IP4_OK || !ordinary(q, m[i])))
			why = qinqdecap_judge(t, m[i], users);
		if (unlikely(why != 0)) {
			if (why != QINQDECAP_TAKEN)
				qinqdecap_give_up(
					t, why, why == DROP_TTL ? ICMP_TTL : 0, m[i], users, 0
				);
			continue;
		}
		h = rte_pktmbuf_mtod(m[i], struct qinq_hdr *);
		ip = (const struct rte_ipv4_hdr *)(h + 1);
		memcpy(&v, &h->stype, sizeof(v));
		ret->entry[out] = users_entry(users, qinq_tags(v));
		prefetch_far(ret->entry[out]);
		ret->ip[out] = rte_be_to_cpu_32(ip->dst_addr);
		fib_prefetch(&fib, ret->ip[out]);
		m[out++] = m[i];
	}
	t->counters.rx_bytes += bytes;
	return out;
}

// Puts the tunnel in the place of the tags. There is headroom.
static __rte_always_inline void encapsulate(
	struct rte_mbuf *m, const struct hop_head *head, uint32_t key
)
{
	struct tunnel_hdr *h;
	const __m128i *from = (const __m128i *)head->bytes;
	uint16_t len = rte_cpu_to_be_16((uint16_t)(m->pkt_len - QINQ_LEN + TUNNEL_AFTER_LABEL));
	uint32_t sum = head->sum + len;
	char *at;

	m->data_off = (uint16_t)(m->data_off - GROWS);
	m->data_len = (uint16_t)(m->data_len + GROWS);
	m->pkt_len += GROWS;
	at = rte_pktmbuf_mtod(m, char *);
	h = (struct tunnel_hdr *)at;
	_mm_storeu_si128((__m128i *)at, _mm_load_si128(from));
	_mm_storeu_si128((__m128i *)(at + 16), _mm_load_si128(from + 1));
	_mm_storel_epi64((__m128i *)(at + 32), _mm_load_si128(from + 2));
	memcpy(at + 40, head->bytes + 40, 2);
	h->gre_key = key;
	h->ip.total_length = len;
	sum = (sum >> 16) + (sum & 0xffff);
	h->ip.hdr_checksum = (uint16_t) ~((sum >> 16) + sum);
}

static uint16_t poll_qinqdecap(struct task *t)
{
	struct qinqdecap *q = t->state;
	const struct route_live *live = route_live(&q->view);
	const struct fib fib = *live->fib;
	struct user_live *users;
	struct rte_mbuf *m[BURST];
	uint32_t sent = 0;
	struct taken taken;
	uint16_t got = task_rx(t, m), n;

	if (got == 0) {
		q->clock = cpe_clock(q->users);
		return 0;
	}
	task_prefetch(m, got);
	for (uint16_t i = 0; i < AHEAD && i < got; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	if (q->polls++ % CLOCK_POLLS == 0)
		q->clock = cpe_clock(q->users);
	users = users_live(q->users);
	n = take_in(t, m, got, users, fib, &taken);
	for (uint16_t i = 0; i < n; i++) {
		struct qinq_hdr *h = rte_pktmbuf_mtod(m[i], struct qinq_hdr *);
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(h + 1);
		const uint32_t number = __atomic_load_n(&taken.entry[i]->number, __ATOMIC_RELAXED);
		const uint32_t hop = fib_find(&fib, taken.ip[i]);
		const struct hop_head *head = &live->heads[hop];
		enum cpe_learned learned;

		if (unlikely(number == 0)) {
			task_drop(t, DROP_UNKNOWN, m[i]);
			continue;
		}
		learned = cpe_learn(
			q->users,
			users,
			taken.entry[i],
			number,
			cpe_mac_port(&h->src, qinqdecap_port(q, m[i])),
			ip->src_addr,
			q->clock
		);
		if (unlikely(learned != CPE_LEARNED)) {
			task_drop(t, learned == CPE_TOO_MANY ? DROP_CPES : DROP_SOURCE, m[i]);
			continue;
		}
		if (unlikely(hop == 0)) {
			qinqdecap_give_up(t, DROP_NO_ROUTE, ICMP_NET, m[i], users, 0);
			continue;
		}
		if (unlikely(m[i]->pkt_len > head->mtu)) {
			qinqdecap_give_up(
				t,
				DROP_TOO_LONG,
				ICMP_TOO_LONG,
				m[i],
				users,
				head->mtu - (unsigned)QINQ_LEN
			);
			continue;
		}
		if (unlikely(m[i]->data_off < GROWS)) {
			task_drop(t, DROP_HEADROOM, m[i]);
			continue;
		}
		ip4_age(ip);
		encapsulate(m[i], head, users_key(users, number));
		task_put(t, head->port, m[i], &sent);
	}
	task_flush(t, sent);
	return got;
}

static void fill_head(const void *arg, const struct hop *hop, struct hop_head *head)
{
	const struct qinqdecap *q = arg;
	const struct output *o = &q->outputs[hop->port];
	unsigned mtu = o->mtu;
	struct tunnel_hdr h = {
		.src = o->mac,
		.type = rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS),
		.label = rte_cpu_to_be_32(hop->mpls << 12 | 1 << 8 | TTL),
		.ip =
			{
				.version_ihl = RTE_IPV4_VHL_DEF,
				.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
				.time_to_live = TTL,
				.next_proto_id = IPPROTO_GRE,
				.src_addr = rte_cpu_to_be_32(q->local),
				.dst_addr = rte_cpu_to_be_32(hop->ip),
			},
		.gre_flags = rte_cpu_to_be_16(GRE_KEY),
		.gre_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4),
	};

	memcpy(&h.dst, hop->mac, sizeof(hop->mac));
	memcpy(head->bytes, &h, sizeof(h));
	head->sum = ip4_sum(&h.ip);
	// of the packet as it comes in: label and tunnel are not there yet, the tags are
	mtu = mtu > sizeof(h.label) + TUNNEL_AFTER_LABEL
		      ? mtu - (unsigned)sizeof(h.label) - (unsigned)TUNNEL_AFTER_LABEL + QINQ_LEN
		      : 0;
	// what a segment's length can say
	if (mtu > UINT16_MAX - GROWS)
		mtu = UINT16_MAX - GROWS;
	head->mtu = (uint16_t)mtu;
}

static int init_qinqdecap(struct task *t, const void *arg, struct err *err)
{
	const struct qinqdecap_conf *c = arg;
	struct route_table *routes;
	struct user_table *users;
	struct qinqdecap *q = t->state;
	uint16_t stype;

	if (c->routes[0] == '\0' || c->users[0] == '\0')
		return err_set(
			err,
			EINVAL,
			"mode qinqdecapv4 wants a %s table=",
			c->users[0] == '\0' ? "user" : "route"
		);
	if (qinq_stype(c->stype, &stype, err) < 0
	    || tables_users(c->users, t->socket, &users, err) < 0
	    || tables_routes(c->routes, t->socket, &routes, err) < 0)
		return -err->code;
	q->types = qinq_types(stype);
	q->users = users;
	q->local = c->local;
	q->arp = c->arp;
	q->gateway = rte_cpu_to_be_32(c->gateway);
	q->clock = cpe_clock(users);
	q->source_route = c->source_route;
	icmp_init(&q->icmp, &c->icmp);
	q->ours = q->gateway != 0 ? q->gateway : q->icmp.from;
	q->ours_wide = _mm_set1_epi32((int)q->ours);
	user_table_own(users, q->gateway);
	user_table_own(users, q->icmp.from);
	user_table_own(users, rte_cpu_to_be_32(q->local));
	own_init(&q->own, t, rte_cpu_to_be_16(stype));
	q->port = t->nrx == 1 && t->rx[0].ring == NULL ? t->rx[0].port : RTE_MAX_ETHPORTS;
	q->noutputs = t->nout < SPEC_HOP_PORTS ? t->nout : SPEC_HOP_PORTS;
	for (unsigned i = 0; i < t->nout; i++)
		q->outputs[i] = output_of(t, i);
	t->poll = poll_qinqdecap;
	return route_view_make(routes, q->noutputs, fill_head, q, t->socket, &q->view, err);
}

static void done_qinqdecap(struct task *t)
{
	struct qinqdecap *q = t->state;

	route_view_done(&q->view);
}

static void report_qinqdecap(struct task *t, void *object)
{
	const struct qinqdecap *q = t->state;

	json_object_set_new(
		object, "subscribers", json_integer((json_int_t)user_table_users(q->users))
	);
	json_object_set_new(
		object, "routes", json_integer((json_int_t)route_table_routes(q->view.table))
	);
	json_object_set_new(
		object,
		"arp_answered",
		json_integer((json_int_t
		)(__atomic_load_n(&q->answered, __ATOMIC_RELAXED) - q->answered_base))
	);
	icmp_report(&q->icmp, object);
}

static void clear_qinqdecap(struct task *t)
{
	struct qinqdecap *q = t->state;

	icmp_clear(&q->icmp);
	q->answered_base = __atomic_load_n(&q->answered, __ATOMIC_RELAXED);
}

#define KEY_CONF struct qinqdecap_conf
static const struct key keys[] = {
	KEY_ROUTE_TABLE(routes),
	KEY_USER_TABLE(users, "subscribers: a table of [lua], or a file (.csv)"),
	KEY_IPV4("local ipv4", local, "source of the tunnels"),
	KEY_QINQ_TAG(stype, "type of the S-tag: 0x88a8 (default), 0x8100"),
	KEY_BOOL(
		"handle arp",
		arp,
		"CPEs are learned from ARP; requests are answered where the task has an output to "
		"the port they came from"
	),
	KEY_BOOL(
		"fast path handle arp",
		fast_arp,
		"understood and of no effect: ARP is always handled by the task that meets it"
	),
	KEY_CPE_TIMEOUT(
		age,
		"for the tasks of mode qinqencapv4 with the same user table, when they do not say "
		"it"
	),
	KEY_IPV4(
		"gateway ipv4",
		gateway,
		"that address is ours: only ARP requests for it are answered (default: for every "
		"address), and it answers ping"
	),
	KEY_SOURCE_ROUTE(source_route),
	ICMP_KEYS(icmp),
	{NULL},
};

static struct task_mode qinqdecap = {
	.name = "qinqdecapv4",
	.help = "BNG, upstream: subscribers' packets leave in GRE and MPLS, by route",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.keys = keys,
	.conf_size = sizeof(struct qinqdecap_conf),
	TASK_DROP_NAMES,
	.state_size = sizeof(struct qinqdecap),
	.puts = true,
	.init = init_qinqdecap,
	.done = done_qinqdecap,
	.report = report_qinqdecap,
	.clear = clear_qinqdecap,
};
TASK_MODE(qinqdecap)

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// qinqencapv4: downstream half of the BNG (paper §6.3). Out of GRE, with or without labels in front,
// the key says who the subscriber is, and the destination which CPE: its MAC, its port and the
// subscriber's two tags are put in front. The tunnel ends here, so the packet is forwarded as one that
// came in on a link: its time to live is one less (RFC 2784, 3.1).

#include "task/vnf/qinqencap.h"
#include "config/table_keys.h"
#include "task/proto/ip4.h"
#include "task/proto/mpls.h"

#include "table/tables.h"
#include "tsc.h"

#include <jansson.h>
#include <rte_prefetch.h>
#include <rte_vect.h>
#include <string.h>

#define AHEAD 4
#define CLOCK_POLLS 64
#define NO_OUTPUT 0xff
#define AGE_DEFAULT (15 * 60 * 1000) // ms

struct qinqencap_conf {
	char users[KEY_TEXT_MAX], cpes[KEY_TEXT_MAX];
	uint32_t local, stype, age;
	bool source_route;
	struct icmp_conf icmp;
};

static __rte_always_inline uint32_t gre_start(const struct gre_hdr *g)
{
	uint32_t v;

	memcpy(&v, g, sizeof(v));
	return v;
}

// An IPv4 header without options, of a whole GRE packet, without a mark that would have to go over to what is in it:
// of ECN (RFC 6040, 4.2) those with the lowest bit.
static __rte_always_inline bool plain_outer(const struct rte_ipv4_hdr *ip)
{
	const __m128i is = _mm_set_epi8(
		0, 0, 0, 0, 0, 0, IPPROTO_GRE, 0, 0, 0, 0, 0, 0, 0, 0, RTE_IPV4_VHL_DEF
	);
	// flags and offset but for "do not fragment" and the reserved one
	const __m128i mask = _mm_set_epi8(0, 0, 0, 0, 0, 0, -1, 0, -1, 0x3f, 0, 0, 0, 0, 1, -1);
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)ip);

	return _mm_testz_si128(_mm_xor_si128(v, is), mask) != 0;
}

// Of the packet within ip4_plain, and of the tunnel the sender.
static __rte_always_inline bool plain_inner(
	const struct qinqencap *q,
	const struct rte_ipv4_hdr *outer,
	const struct rte_ipv4_hdr *inner
)
{
	__m128i tail = _mm_insert_epi32(ip4_tail(inner), (int)outer->src_addr, 0);

	return ip4_plain(tail, IP4_THIRD, q->ours);
}

#define GRE_EXPECTED (rte_cpu_to_be_32((uint32_t)GRE_KEY << 16 | RTE_ETHER_TYPE_IPV4))

// Where the inner header of an ordinary packet begins: with one label or none, and no options. 0: it is not.
static __rte_always_inline unsigned look(const struct qinqencap *q, struct rte_mbuf *m)
{
	const char *p = rte_pktmbuf_mtod(m, const char *);
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)p;
	const struct rte_ipv4_hdr *ip, *inner;
	const struct gre_hdr *gre;
	unsigned at = RTE_ETHER_HDR_LEN, len, end;
	uint32_t label;
	bool labelled;

	if (m->data_len < at + MPLS_LEN + TUNNEL_AFTER_LABEL + sizeof(*inner)
	    || m->data_len != m->pkt_len)
		return 0;
	labelled = eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS);
	at += labelled ? MPLS_LEN : 0;
	ip = (const struct rte_ipv4_hdr *)(p + at);
	gre = (const struct gre_hdr *)(ip + 1);
	inner = (const struct rte_ipv4_hdr *)(gre + 1);
	// an ordinary label (RFC 3032) at the bottom of the stack, or just IPv4
	memcpy(&label, p + RTE_ETHER_HDR_LEN, sizeof(label));
	if (labelled ? (label & LABEL_BOTTOM) == 0
			       || ((label & LABEL_ORDINARY) == 0 && (label & LABEL_BITS) != 0)
		     : eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return 0;
	len = rte_be_to_cpu_16(ip->total_length);
	end = rte_be_to_cpu_16(inner->total_length) + (unsigned)TUNNEL_AFTER_LABEL;
	if (!own_ordinary(&q->own, m) || !plain_outer(ip)
	    || (q->local != 0 && ip->dst_addr != q->local) || gre_start(gre) != GRE_EXPECTED
	    || inner->version_ihl != RTE_IPV4_VHL_DEF || !plain_inner(q, ip, inner))
		return 0;
	if (end > len || at + len > m->data_len
	    || end < TUNNEL_AFTER_LABEL + sizeof(struct rte_ipv4_hdr) || ip4_sum(ip) != 0xffff
	    || ip4_sum(inner) != 0xffff)
		return 0;
	if (at + end != m->data_len)
		m->data_len = (uint16_t)(m->pkt_len = at + end);
	return at + (unsigned)TUNNEL_AFTER_LABEL;
}

struct taken {
	uint32_t number[BURST]; // of the subscriber's record
	uint16_t inner[BURST];	// where the inner header begins
};

static __rte_always_inline uint16_t
take_in(struct task *t,
	struct rte_mbuf **m,
	uint16_t n,
	const struct user_live *users,
	struct taken *ret)
{
	const struct qinqencap *q = t->state;
	uint32_t bytes = 0;
	uint16_t out = 0;

	for (uint16_t i = 0; i < n; i++) {
		unsigned at, why;
		uint32_t key;

		if (i + AHEAD < n) {
			rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], void *));
			rte_prefetch0(rte_pktmbuf_mtod_offset(m[i + AHEAD], void *, 64));
		}
		bytes += m[i]->pkt_len;
		at = look(q, m[i]);
		if (unlikely(at == 0)) {
			why = qinqencap_judge(t, m[i], users, &at);
			if (why == QINQENCAP_TAKEN)
				continue;
			if (why != 0) {
				qinqencap_give_up(
					t, why, why == DROP_TTL ? ICMP_TTL : 0, m[i], at, users, 0
				);
				continue;
			}
		}
		memcpy(&key, rte_pktmbuf_mtod_offset(m[i], void *, at - sizeof(key)), sizeof(key));
		ret->number[out] = users_by_key(users, rte_be_to_cpu_32(key));
		prefetch_far(&users->records[ret->number[out]]);
		ret->inner[out] = (uint16_t)at;
		m[out++] = m[i];
	}
	t->counters.rx_bytes += bytes;
	return out;
}

// Puts the tags in the place of the tunnel.
static __rte_always_inline void tag(
	struct rte_mbuf *m,
	unsigned inner,
	const struct access *a,
	const struct user_record *user,
	uint64_t mac,
	uint32_t ctype
)
{
	const unsigned off = inner - (unsigned)QINQ_LEN;
	char *at;
	__m128i v = _mm_load_si128((const __m128i *)a->head);
	uint32_t c = ctype | (uint32_t)user->ctag << 16;
	uint16_t type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);

	v = _mm_blend_epi16(v, _mm_cvtsi64_si128((long long)mac), 0x07);
	v = _mm_insert_epi16(v, user->stag, 7);
	m->data_off = (uint16_t)(m->data_off + off);
	m->data_len = (uint16_t)(m->data_len - off);
	m->pkt_len -= off;
	at = rte_pktmbuf_mtod(m, char *);
	_mm_storeu_si128((__m128i *)at, v);
	memcpy(at + 16, &c, sizeof(c));
	memcpy(at + 20, &type, sizeof(type));
}

static __rte_always_inline unsigned output_to(const struct qinqencap *q, uint64_t mac_port)
{
	uint16_t port = (uint16_t)(mac_port >> 48), low = port & (uint16_t)~CPE_OUTPUT;

	return likely(low < RTE_MAX_ETHPORTS) ? q->to[port >> 15][low] : NO_OUTPUT;
}

static uint16_t poll_qinqencap(struct task *t)
{
	struct qinqencap *q = t->state;
	const struct user_live *users;
	struct rte_mbuf *m[BURST];
	uint32_t sent = 0;
	struct taken taken;
	uint16_t got = task_rx(t, m), n;

	if (got == 0) {
		q->now = cpe_now();
		return 0;
	}
	task_prefetch(m, got);
	for (uint16_t i = 0; i < AHEAD && i < got; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
		rte_prefetch0(rte_pktmbuf_mtod_offset(m[i], void *, 64));
	}
	if (q->polls++ % CLOCK_POLLS == 0)
		q->now = cpe_now();
	users = users_live(q->users);
	n = take_in(t, m, got, users, &taken);
	for (uint16_t i = 0; i < n; i++) {
		const struct user_record *user = &users->records[taken.number[i]];
		struct rte_ipv4_hdr *ip =
			rte_pktmbuf_mtod_offset(m[i], struct rte_ipv4_hdr *, taken.inner[i]);
		const struct access *a;
		struct cpe_slot cpe;
		unsigned to;

		if (unlikely(!user->used)) {
			task_drop(t, DROP_UNKNOWN, m[i]);
			continue;
		}
		if (unlikely(!cpe_find(users, user, ip->dst_addr, q->now, q->age, &cpe))) {
			qinqencap_give_up(t, DROP_CPE, ICMP_HOST, m[i], taken.inner[i], users, 0);
			continue;
		}
		to = output_to(q, cpe.mac_port);
		if (unlikely(to == NO_OUTPUT)) {
			task_drop(t, DROP_OUTPUT, m[i]);
			continue;
		}
		a = &q->access[to];
		if (unlikely(m[i]->pkt_len - taken.inner[i] > a->mtu)) {
			qinqencap_give_up(
				t, DROP_TOO_LONG, ICMP_TOO_LONG, m[i], taken.inner[i], users, a->mtu
			);
			continue;
		}
		ip4_age(ip);
		tag(m[i], taken.inner[i], a, user, cpe.mac_port, q->ctype);
		task_put(t, to, m[i], &sent);
	}
	task_flush(t, sent);
	return got;
}

static int init_qinqencap(struct task *t, const void *arg, struct err *err)
{
	const struct qinqencap_conf *c = arg;
	struct user_table *users;
	struct qinqencap *q = t->state;
	uint16_t stype;

	if (c->users[0] == '\0')
		return err_set(err, EINVAL, "mode qinqencapv4 wants a user table=");
	if (qinq_stype(c->stype, &stype, err) < 0
	    || tables_users(c->users, t->socket, &users, err) < 0
	    || (c->cpes[0] != '\0' && tables_cpes(c->cpes, users, err) < 0))
		return -err->code;
	q->users = users;
	q->local = rte_cpu_to_be_32(c->local);
	q->ctype = rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);
	q->age = user_table_age(users, (uint32_t)(((uint64_t)c->age * (tsc_hz() / 1000)) >> 30));
	q->now = cpe_now();
	q->port = t->nrx == 1 && t->rx[0].ring == NULL ? t->rx[0].port : RTE_MAX_ETHPORTS;
	q->source_route = c->source_route;
	icmp_init(&q->icmp, &c->icmp);
	q->ours = _mm_set1_epi32((int)q->icmp.from);
	own_init(&q->own, t, 0);
	stype = rte_cpu_to_be_16(stype);
	for (unsigned i = 0; i < RTE_MAX_ETHPORTS; i++) {
		q->to[0][i] = t->out_of_port[i] < t->nout ? (uint8_t)t->out_of_port[i] : NO_OUTPUT;
		q->to[1][i] = i < t->nout ? (uint8_t)i : NO_OUTPUT;
	}
	for (unsigned i = 0; i < t->nout; i++) {
		struct output o = output_of(t, i);

		q->access[i].mtu = o.mtu;
		memcpy(q->access[i].head + RTE_ETHER_ADDR_LEN, &o.mac, sizeof(o.mac));
		memcpy(q->access[i].head + 12, &stype, sizeof(stype));
	}
	t->poll = poll_qinqencap;
	return 0;
}

static void defaults(void *arg)
{
	struct qinqencap_conf *c = arg;

	c->age = AGE_DEFAULT;
}

static void report_qinqencap(struct task *t, void *object)
{
	const struct qinqencap *q = t->state;

	json_object_set_new(
		object, "subscribers", json_integer((json_int_t)user_table_users(q->users))
	);
	icmp_report(&q->icmp, object);
}

static void clear_qinqencap(struct task *t)
{
	struct qinqencap *q = t->state;

	icmp_clear(&q->icmp);
}

#define KEY_CONF struct qinqencap_conf
static const struct key keys[] = {
	KEY_USER_TABLE(users, "subscribers: a table of [lua], or a file (.csv)"),
	KEY_CPE_TABLE(
		cpes,
		"CPEs that are known from the start and do not age: a table of [lua], or a file "
		"(.csv)"
	),
	KEY_CPE_TIMEOUT(
		age,
		"a learned CPE is forgotten when it was not seen for so long (default 15 minutes)"
	),
	KEY_IPV4("local ipv4", local, "tunnels that end here have that destination (default: any)"),
	KEY_QINQ_TAG(stype, "type of the S-tag: 0x88a8 (default), 0x8100"),
	KEY_SOURCE_ROUTE(source_route),
	ICMP_KEYS(icmp),
	{NULL},
};

static struct task_mode qinqencap = {
	.name = "qinqencapv4",
	.help = "BNG, downstream: out of GRE, to the subscriber's CPE in two tags",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.keys = keys,
	.conf_size = sizeof(struct qinqencap_conf),
	.defaults = defaults,
	TASK_DROP_NAMES,
	.state_size = sizeof(struct qinqencap),
	.puts = true,
	.init = init_qinqencap,
	.report = report_qinqencap,
	.clear = clear_qinqencap,
};
TASK_MODE(qinqencap)

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// qinqencapv4: downstream half of the BNG (paper §6.3). Out of GRE, with or without labels in front,
// the key says who the subscriber is, and the destination which CPE: its MAC, its port and the
// subscriber's two tags are put in front. The tunnel ends here, so the packet is forwarded as one that
// came in on a link: its time to live is one less (RFC 2784, 3.1).

#include "task/icmp.h"
#include "task/ip4.h"
#include "task/output.h"
#include "task/qinq.h"
#include "task/task.h"

#include "table/tables.h"
#include "table/users.h"

#include <jansson.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mpls.h>
#include <rte_prefetch.h>
#include <rte_vect.h>
#include <string.h>

#define AHEAD 4
#define LABEL 4
#define LABELS 8 // at most in front of a packet
#define CLOCK_POLLS 64
#define NO_OUTPUT 0xff
#define TTL 64			     // of the outer header of an answer
#define AGE_DEFAULT (15 * 60 * 1000) // ms

struct qinqencap_conf {
	char users[KEY_TEXT_MAX], cpes[KEY_TEXT_MAX];
	uint32_t local, stype, age;
	struct icmp_conf icmp;
};

struct access {
	uint8_t head[16]; // of a packet: nothing, own MAC, type of the S-tag, nothing
	uint16_t mtu;
} __rte_aligned(16);

struct qinqencap {
	struct user_table *users;
	uint32_t now, polls, age;
	uint32_t local;			 // as in a packet; 0: any
	uint32_t ctype;			 // type of the C-tag in the low half, as in a packet
	uint8_t to[2][RTE_MAX_ETHPORTS]; // output, by port; [1]: by its own number, as configured
	uint16_t port; // where packets come from; RTE_MAX_ETHPORTS: each says so itself
	struct icmp icmp;
	struct access access[TASK_OUTPUTS];
};

enum {
	DROP_SHORT = DROP_COMMON,
	DROP_NOT_GRE,
	DROP_LABELS,
	DROP_HEADER,
	DROP_SUM,
	DROP_FRAGMENT,
	DROP_NOT_OURS,
	DROP_NO_KEY,
	DROP_INNER,
	DROP_TTL,
	DROP_UNKNOWN,
	DROP_CPE,
	DROP_OUTPUT,
	DROP_TOO_LONG,
};

static const char *const drops[] = {
	"too short",
	"not gre",
	"bad labels",
	"bad header",
	"bad checksum",
	"fragment of a tunnel",
	"not for us",
	"gre without key",
	"bad inner packet",
	"ttl expired",
	"unknown subscriber",
	"unknown cpe",
	"no output",
	"too long",
	NULL,
};

struct gre_hdr {
	uint16_t flags, type;
	uint32_t key;
} __rte_packed;

static __rte_always_inline uint32_t gre_start(const struct gre_hdr *g)
{
	uint32_t v;

	memcpy(&v, g, sizeof(v));
	return v;
}

#define GRE_EXPECTED (rte_cpu_to_be_32((uint32_t)GRE_KEY << 16 | RTE_ETHER_TYPE_IPV4))

static unsigned fault_drop(enum ip4_fault f)
{
	return f == IP4_SHORT ? DROP_SHORT : f == IP4_SUM ? DROP_SUM : DROP_HEADER;
}

// Where the outer IPv4 header begins; 0: *why says why there is none.
static unsigned find_outer(struct rte_mbuf *m, unsigned *why)
{
	unsigned at = RTE_ETHER_HDR_LEN;
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	*why = DROP_SHORT;
	if (!mbuf_pull(m, at))
		return 0;
	if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return at;
	*why = DROP_NOT_GRE;
	if (eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS))
		return 0;
	for (unsigned n = 0; n < LABELS; n++) {
		const struct rte_mpls_hdr *label;

		*why = DROP_SHORT;
		if (!mbuf_pull(m, at + LABEL))
			return 0;
		label = rte_pktmbuf_mtod_offset(m, struct rte_mpls_hdr *, at);
		*why = DROP_LABELS;
		at += LABEL;
		if (label->bs)
			return at;
	}
	return 0;
}

// Judges any packet: what to drop it for, or 0 and where its inner header begins.
static __rte_noinline unsigned judge(const struct qinqencap *q, struct rte_mbuf *m, unsigned *ret)
{
	const struct rte_ipv4_hdr *ip, *inner;
	const struct gre_hdr *gre;
	unsigned why, at = find_outer(m, &why);
	enum ip4_fault f;

	if (at == 0)
		return why;
	f = ip4_check(m, at);
	if (f != IP4_OK)
		return fault_drop(f);
	ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	if (q->local != 0 && ip->dst_addr != q->local)
		return DROP_NOT_OURS;
	if (ip->next_proto_id != IPPROTO_GRE)
		return DROP_NOT_GRE;
	if ((ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)
	    )
	    != 0)
		return DROP_FRAGMENT;
	at += (ip->version_ihl & 15u) * 4;
	if (!mbuf_pull(m, at + sizeof(*gre)))
		return DROP_SHORT;
	gre = rte_pktmbuf_mtod_offset(m, struct gre_hdr *, at);
	// a checksum, a sequence number or another version is nothing that the other end agreed to
	if (gre->flags != rte_cpu_to_be_16(GRE_KEY))
		return DROP_NO_KEY;
	if (gre->type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return DROP_INNER;
	at += sizeof(*gre);
	f = ip4_check(m, at);
	if (f != IP4_OK)
		return f == IP4_SUM ? DROP_SUM : DROP_INNER;
	inner = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, at);
	*ret = at;
	return inner->time_to_live <= 1 ? DROP_TTL : 0;
}

// The same for what is ordinary, with one label or none, and no options. 0: it is not.
static __rte_always_inline unsigned look(const struct qinqencap *q, struct rte_mbuf *m)
{
	const char *p = rte_pktmbuf_mtod(m, const char *);
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)p;
	const struct rte_ipv4_hdr *ip, *inner;
	const struct gre_hdr *gre;
	unsigned at = RTE_ETHER_HDR_LEN, len, end;
	bool labelled;

	if (m->data_len < at + LABEL + TUNNEL_AFTER_LABEL + sizeof(*inner)
	    || m->data_len != m->pkt_len)
		return 0;
	labelled = eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_MPLS);
	at += labelled ? LABEL : 0;
	ip = (const struct rte_ipv4_hdr *)(p + at);
	gre = (const struct gre_hdr *)(ip + 1);
	inner = (const struct rte_ipv4_hdr *)(gre + 1);
	// the bottom of the stack, or just IPv4
	if (labelled ? (p[RTE_ETHER_HDR_LEN + 2] & 1) == 0
		     : eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return 0;
	len = rte_be_to_cpu_16(ip->total_length);
	end = rte_be_to_cpu_16(inner->total_length) + (unsigned)TUNNEL_AFTER_LABEL;
	if (ip->version_ihl != RTE_IPV4_VHL_DEF || ip->next_proto_id != IPPROTO_GRE
	    || (ip->fragment_offset
		& rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		       != 0
	    || (q->local != 0 && ip->dst_addr != q->local) || gre_start(gre) != GRE_EXPECTED
	    || inner->version_ihl != RTE_IPV4_VHL_DEF || inner->time_to_live <= 1)
		return 0;
	if (end > len || at + len > m->data_len
	    || end < TUNNEL_AFTER_LABEL + sizeof(struct rte_ipv4_hdr) || ip4_sum(ip) != 0xffff
	    || ip4_sum(inner) != 0xffff)
		return 0;
	if (at + end != m->data_len)
		m->data_len = (uint16_t)(m->pkt_len = at + end);
	return at + (unsigned)TUNNEL_AFTER_LABEL;
}

struct tunnel {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct gre_hdr gre;
} __rte_packed __rte_aligned(2);

// Where the answer to a packet goes that came in that tunnel: back, without a label, as which one is for
// that machine only the routes say.
static void put_tunnel(
	struct rte_mbuf *m,
	const struct rte_ether_hdr *eth,
	const struct rte_ipv4_hdr *ip,
	uint32_t key,
	const struct access *a
)
{
	struct tunnel h = {
		.eth = {.dst_addr = eth->src_addr, .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)},
		.ip =
			{
				.version_ihl = RTE_IPV4_VHL_DEF,
				.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
				.time_to_live = TTL,
				.next_proto_id = IPPROTO_GRE,
				.src_addr = ip->dst_addr,
				.dst_addr = ip->src_addr,
			},
		.gre = {RTE_BE16(GRE_KEY), RTE_BE16(RTE_ETHER_TYPE_IPV4), key},
	};
	char *at = rte_pktmbuf_prepend(m, sizeof(h));

	memcpy(&h.eth.src_addr, a->head + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	h.ip.total_length = rte_cpu_to_be_16((uint16_t)(m->pkt_len - sizeof(h.eth)));
	h.ip.hdr_checksum = (uint16_t)~ip4_sum(&h.ip);
	memcpy(at, &h, sizeof(h));
}

// Drops it, and tells its sender where that is configured, if the task has an output to where it came
// from. error 0: not of this one; inner: where its inner header begins; mtu: of ICMP_TOO_LONG.
static __rte_noinline void give_up(
	struct task *t,
	unsigned why,
	unsigned error,
	struct rte_mbuf *m,
	unsigned inner,
	const struct user_live *users,
	unsigned mtu
)
{
	struct qinqencap *q = t->state;
	uint16_t port = q->port != RTE_MAX_ETHPORTS ? q->port : m->port;
	unsigned to = port < RTE_MAX_ETHPORTS ? t->out_of_port[port] : TASK_OUTPUTS, why_not = 0;
	unsigned outer;
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	uint32_t key;

	if (q->icmp.from == 0 || error == 0 || to >= t->nout) {
		task_drop(t, why, m);
		return;
	}
	t->counters.drops[why]++;
	outer = find_outer(m, &why_not);
	memcpy(&eth, rte_pktmbuf_mtod(m, void *), sizeof(eth));
	memcpy(&ip, rte_pktmbuf_mtod_offset(m, void *, outer), sizeof(ip));
	memcpy(&key, rte_pktmbuf_mtod_offset(m, void *, inner - sizeof(key)), sizeof(key));
	rte_pktmbuf_adj(m, (uint16_t)inner);
	// nobody is told what was for all, nor who speaks of a stranger anything
	if ((eth.dst_addr.addr_bytes[0] & 1) != 0 || ip4_nowhere(ip.src_addr)
	    || ip4_nowhere(ip.dst_addr)
	    || !users->records[users_by_key(users, rte_be_to_cpu_32(key))].used
	    || !icmp_answer(&q->icmp, m, error, mtu, sizeof(struct tunnel))) {
		rte_pktmbuf_free(m);
		return;
	}
	put_tunnel(m, &eth, &ip, key, &q->access[to]);
	task_put(t, to, m);
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
	uint16_t out = 0;

	for (uint16_t i = 0; i < n; i++) {
		unsigned at, why;
		uint32_t key;

		if (i + AHEAD < n) {
			rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], void *));
			rte_prefetch0(rte_pktmbuf_mtod_offset(m[i + AHEAD], void *, 64));
		}
		at = look(q, m[i]);
		if (unlikely(at == 0)) {
			why = judge(q, m[i], &at);
			if (why != 0) {
				give_up(t, why, why == DROP_TTL ? ICMP_TTL : 0, m[i], at, users, 0);
				continue;
			}
		}
		memcpy(&key, rte_pktmbuf_mtod_offset(m[i], void *, at - sizeof(key)), sizeof(key));
		ret->number[out] = users_by_key(users, rte_be_to_cpu_32(key));
		prefetch_far(&users->records[ret->number[out]]);
		ret->inner[out] = (uint16_t)at;
		m[out++] = m[i];
	}
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
			give_up(t, DROP_CPE, ICMP_HOST, m[i], taken.inner[i], users, 0);
			continue;
		}
		to = output_to(q, cpe.mac_port);
		if (unlikely(to == NO_OUTPUT)) {
			task_drop(t, DROP_OUTPUT, m[i]);
			continue;
		}
		a = &q->access[to];
		if (unlikely(m[i]->pkt_len - taken.inner[i] > a->mtu)) {
			give_up(t, DROP_TOO_LONG, ICMP_TOO_LONG, m[i], taken.inner[i], users, a->mtu
			);
			continue;
		}
		ip4_age(ip);
		tag(m[i], taken.inner[i], a, user, cpe.mac_port, q->ctype);
		task_put(t, to, m[i]);
	}
	task_flush(t);
	return got;
}

static int init_qinqencap(struct task *t, const void *arg, struct err *err)
{
	const struct qinqencap_conf *c = arg;
	struct user_table *users;
	struct qinqencap *q;
	uint16_t stype;

	if (c->users[0] == '\0')
		return err_set(err, EINVAL, "mode qinqencapv4 wants a user table=");
	if (qinq_stype(c->stype, &stype, err) < 0
	    || tables_users(c->users, t->socket, &users, err) < 0
	    || (c->cpes[0] != '\0' && tables_cpes(c->cpes, users, err) < 0)
	    || task_make_stage(t, err) < 0)
		return -err->code;
	q = rte_zmalloc_socket("qinqencap", sizeof(*q), RTE_CACHE_LINE_SIZE, t->socket);
	if (q == NULL)
		return err_oom(err);
	q->users = users;
	q->local = rte_cpu_to_be_32(c->local);
	q->ctype = rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);
	q->age = user_table_age(
		users, (uint32_t)(((uint64_t)c->age * (rte_get_tsc_hz() / 1000)) >> 30)
	);
	q->now = cpe_now();
	q->port = t->nrx == 1 && t->rx[0].ring == NULL ? t->rx[0].port : RTE_MAX_ETHPORTS;
	icmp_init(&q->icmp, &c->icmp);
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
	t->state = q;
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

static const struct key keys[] = {
	{"user table",
	 KEY_TEXT,
	 offsetof(struct qinqencap_conf, users),
	 0,
	 0,
	 "subscribers: a table of [lua], or a file (.csv)"},
	{"cpe table",
	 KEY_TEXT,
	 offsetof(struct qinqencap_conf, cpes),
	 0,
	 0,
	 "CPEs that are known from the start and do not age: a table of [lua], or a file (.csv)"},
	{"cpe table timeout ms",
	 KEY_U32,
	 offsetof(struct qinqencap_conf, age),
	 1,
	 UINT32_MAX,
	 "a learned CPE is forgotten when it was not seen for so long (default 15 minutes)"},
	{"local ipv4",
	 KEY_IPV4,
	 offsetof(struct qinqencap_conf, local),
	 0,
	 0,
	 "tunnels that end here have that destination (default: any)"},
	{"qinq tag",
	 KEY_U32,
	 offsetof(struct qinqencap_conf, stype),
	 0,
	 0xffff,
	 "type of the S-tag: 0x88a8 (default), 0x8100"},
	ICMP_KEYS(struct qinqencap_conf, icmp),
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
	.drops = drops,
	.init = init_qinqencap,
	.report = report_qinqencap,
};
TASK_MODE(qinqencap)

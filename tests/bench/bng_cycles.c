// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Cycles a packet of routing and of both halves of the BNG, with the tables they are for, beside a bare
// loop that does the same work (bng_bare.c): 64 B, burst 32, 4096 packets that go from ring to ring, so
// that they are not hot in L2. Before each pass the packets are written anew, every one with a
// destination and a subscriber drawn anew; that time is not counted. Both sides are compiled with the
// same flags, use the same kinds of tables, and are measured in turn, pass by pass: of 24 passes each the
// medians are a pair.
//
//   bng_cycles [CPU [ROUTES]]
//
// prints JSON: {"tsc_mhz", "routes", "load_seconds": {…}, "cases": {name: {"users": N, "pairs":
// [[drover, bare loop]…]}}}

#include "bng_bare.h"
#include "drover.h"
#include "table/file.h"
#include "table/registry.h"
#include "table/tables.h"
#include "task/proto/qinq.h"

#include "base/scope.h"
#include "base/str.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKETS 4096
#define PASSES 24 // of a measurement, by each side
#define REPEATS 15
#define ROUTES 1000000
#define HOPS 256
#define DRAWN (1u << 20) // destinations
#define CPE_MAC 0x02, 0x00, 0x00
#define FIRST_KEY 1000

struct bench {
	uint16_t port;
	struct rte_mempool *pool;
	struct rte_ring *in, *out;
	struct rte_mbuf *all[PACKETS];
	uint64_t random;
	size_t nroutes;
	uint32_t *dst; // DRAWN, each below some route
	double seconds[3];
};

#define must(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "bng_cycles: %s: line %d; hugepages?\n", #cond, __LINE__); \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static uint64_t draw(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

// Lengths of prefixes as in the Internet's table, roughly: 1 in 100 longer than /24.
static uint8_t draw_depth(struct bench *b)
{
	static const struct {
		uint16_t below;
		uint8_t depth;
	} share[] = {
		{10, 28},
		{610, 24},
		{720, 23},
		{840, 22},
		{890, 21},
		{940, 20},
		{970, 19},
		{985, 18},
		{990, 17},
		{1000, 16}};
	unsigned r = (unsigned)(draw(b) % 1000), i = 0;

	while (r >= share[i].below)
		i++;
	return share[i].depth;
}

static double since(uint64_t start)
{
	return (double)(rte_rdtsc() - start) / (double)rte_get_tsc_hz();
}

static void add_line(char **at, const char *fmt, ...) printf_like(2, 3);

static void add_line(char **at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*at += vsprintf(*at, fmt, ap);
	va_end(ap);
}

// Tables as a user would have them: text, and then all the way from there.
static void load(struct bench *b, struct specs *specs, unsigned nusers[3])
{
	char *text = malloc(((size_t)b->nroutes + nusers[0] + nusers[1] + nusers[2] + HOPS) * 64);
	char *at = text;
	struct spec *s;
	struct err err;
	uint64_t start;

	must(text != NULL);
	b->dst = malloc(DRAWN * sizeof(*b->dst));
	for (unsigned i = 0; i < HOPS; i++)
		add_line(&at, "hop,%u,192.0.2.%u,02:00:00:01:00:%02x,%u,0\n", i, i, i, 16 + i);
	for (size_t i = 0; i < b->nroutes; i++) {
		uint8_t depth = draw_depth(b);
		uint32_t ip = 0x01000000u + (uint32_t)(draw(b) % 0xde000000u), net;

		if (ip >> 24 == 127)
			ip += 1u << 24;
		net = ip & (UINT32_MAX << (32 - depth));
		add_line(
			&at,
			"route,%u.%u.%u.%u/%u,%u\n",
			net >> 24,
			net >> 16 & 255,
			net >> 8 & 255,
			net & 255,
			depth,
			(unsigned)(i % HOPS)
		);
		if (i < DRAWN)
			b->dst[i] = ip;
	}
	for (size_t i = b->nroutes; i < DRAWN; i++)
		b->dst[i] = b->dst[i % b->nroutes];
	start = rte_rdtsc();
	must(specs_get(specs, "routes", &s, &err) == 0);
	must(table_parse(text, (size_t)(at - text), "routes", s, &err) == 0);
	b->seconds[0] = since(start);
	for (unsigned k = 0; k < 3; k++) {
		char name[16];

		snprintf(name, sizeof(name), "users%u", k);
		at = text;
		for (unsigned i = 0; i < nusers[k]; i++)
			add_line(&at, "user,%u,%u,%u\n", i >> 12, i & 4095, FIRST_KEY + i);
		start = rte_rdtsc();
		must(specs_get(specs, name, &s, &err) == 0);
		must(table_parse(text, (size_t)(at - text), name, s, &err) == 0);
		if (k == 2)
			b->seconds[0] += since(start);
	}
	free(text);
}

static void make(struct bench *b)
{
	struct rte_eth_conf conf = {0};
	int port;

	b->in = rte_ring_create("in", PACKETS * 2, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	b->out = rte_ring_create("out", PACKETS * 2, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	b->pool = rte_pktmbuf_pool_create(
		"pool", PACKETS * 2 - 1, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0
	);
	must(b->in != NULL && b->out != NULL && b->pool != NULL);
	port = rte_eth_from_rings("bench", &b->in, 1, &b->out, 1, 0);
	must(port >= 0);
	b->port = (uint16_t)port;
	must(rte_eth_dev_configure(b->port, 1, 1, &conf) == 0);
	must(rte_eth_rx_queue_setup(b->port, 0, 512, 0, NULL, b->pool) == 0);
	must(rte_eth_tx_queue_setup(b->port, 0, 512, 0, NULL) == 0);
	must(rte_eth_dev_start(b->port) == 0);
	must(rte_pktmbuf_alloc_bulk(b->pool, b->all, PACKETS) == 0);
}

static void set_text(const char *mode, void *conf, const char *name, const char *value)
{
	const struct key *k = key_find(task_mode_find(mode)->keys, name);

	must(k != NULL);
	snprintf((char *)conf + k->offset, KEY_TEXT_MAX, "%s", value);
}

static struct task *make_task(const struct bench *b, const char *mode, const char *users)
{
	struct task *t = rte_zmalloc(NULL, sizeof(*t), RTE_CACHE_LINE_SIZE);
	struct err err = {0};
	void *conf;

	must(t != NULL);
	t->mode = task_mode_find(mode);
	t->nrx = t->nout = 1;
	t->rx[0] = (struct task_in){.port = b->port};
	t->out[0] = (struct task_out){.port = b->port};
	t->set[PROTO_IPV4] = (struct task_set){0, 1};
	for (unsigned i = 0; i < RTE_MAX_ETHPORTS; i++)
		t->out_of_port[i] = i == b->port ? 0 : TASK_OUTPUTS;
	conf = calloc(1, t->mode->conf_size + 1);
	if (t->mode->defaults != NULL)
		t->mode->defaults(conf);
	if (!str_eq(mode, "qinqencapv4"))
		set_text(mode, conf, "route table", "routes");
	if (users != NULL)
		set_text(mode, conf, "user table", users);
	if (task_begin(t, conf, &err) < 0) {
		fprintf(stderr, "bng_cycles: %s\n", err.msg);
		exit(1);
	}
	free(conf);
	return t;
}

// ---- packets

static void ip_header(
	struct rte_ipv4_hdr *ip, uint16_t len, uint8_t proto, uint32_t src, uint32_t dst
)
{
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(len),
		.time_to_live = 64,
		.next_proto_id = proto,
		.src_addr = rte_cpu_to_be_32(src),
		.dst_addr = rte_cpu_to_be_32(dst),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static char *reset(struct rte_mbuf *m, uint16_t len)
{
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->data_len = len;
	m->pkt_len = len;
	return rte_pktmbuf_mtod(m, char *);
}

static void write_plain(struct bench *b, struct rte_mbuf *m)
{
	static const struct rte_ether_hdr eth = {
		{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, RTE_BE16(RTE_ETHER_TYPE_IPV4)};
	char *p = reset(m, 60);

	memcpy(p, &eth, sizeof(eth));
	ip_header((void *)(p + sizeof(eth)), 46, IPPROTO_UDP, 0x0a000001, b->dst[draw(b) % DRAWN]);
}

// Subscriber i has one CPE, of that address.
static uint32_t cpe_ip(uint32_t i)
{
	return 0x0a000000 + i;
}

static void write_up(struct bench *b, struct rte_mbuf *m, uint32_t user)
{
	struct qinq_hdr h = {
		.dst = {{2, 0, 0, 0, 0, 1}},
		.src = {{CPE_MAC, (uint8_t)(user >> 16), (uint8_t)(user >> 8), (uint8_t)user}},
		.stype = RTE_BE16(RTE_ETHER_TYPE_QINQ),
		.stag = rte_cpu_to_be_16((uint16_t)(user >> 12)),
		.ctype = RTE_BE16(RTE_ETHER_TYPE_VLAN),
		.ctag = rte_cpu_to_be_16(user & 4095),
		.type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
	};
	char *p = reset(m, 60);

	memcpy(p, &h, sizeof(h));
	ip_header((void *)(p + sizeof(h)), 38, IPPROTO_UDP, cpe_ip(user), b->dst[draw(b) % DRAWN]);
}

static void write_down(struct bench *b, struct rte_mbuf *m, uint32_t user)
{
	struct tunnel_hdr h = {
		.dst = {{2, 0, 0, 0, 0, 1}},
		.src = {{2, 0, 0, 0, 0, 3}},
		.type = RTE_BE16(RTE_ETHER_TYPE_MPLS),
		.label = rte_cpu_to_be_32(100 << 12 | 1 << 8 | 64),
		.gre_flags = RTE_BE16(GRE_KEY),
		.gre_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.gre_key = rte_cpu_to_be_32(FIRST_KEY + user),
	};
	char *p = reset(m, TUNNEL_LEN + 38);

	ip_header(&h.ip, TUNNEL_AFTER_LABEL + 38, IPPROTO_GRE, 0xc0000201, 0xc0000202);
	memcpy(p, &h, sizeof(h));
	ip_header((void *)(p + sizeof(h)), 38, IPPROTO_UDP, b->dst[0], cpe_ip(user));
}

enum kind {
	PLAIN,
	UP,
	DOWN
};

static void refill(struct bench *b, enum kind kind, uint32_t users, uint32_t next)
{
	struct rte_mbuf *m[PACKETS];

	while (rte_ring_dequeue_bulk(b->out, (void **)m, 1, NULL) > 0)
		;
	for (unsigned i = 0; i < PACKETS; i++) {
		// in order while they are to be learned, at random when it is measured
		uint32_t user =
			next != UINT32_MAX ? (next + i) % users : (uint32_t)(draw(b) % users);

		if (kind == PLAIN)
			write_plain(b, b->all[i]);
		else if (kind == UP)
			write_up(b, b->all[i], user);
		else
			write_down(b, b->all[i], user);
	}
	must(rte_ring_enqueue_bulk(b->in, (void **)b->all, PACKETS, NULL) == PACKETS);
}

static void check_all_came(const struct bench *b, const char *what)
{
	unsigned n = rte_ring_count(b->out);

	if (n == PACKETS)
		return;
	fprintf(stderr, "bng_cycles: %s: %u of %d packets came out\n", what, n, PACKETS);
	exit(1);
}

struct side {
	struct task *t; // drover
	struct bare *bare;
	unsigned (*loop)(struct bare *b);
};

static uint64_t pass(struct bench *b, const struct side *s, bool ours)
{
	uint64_t start = rte_rdtsc(), end;

	for (unsigned i = 0; i < PACKETS / BURST; i++) {
		if (ours)
			s->t->counters.bursts += s->t->poll(s->t) > 0;
		else
			s->loop(s->bare);
	}
	end = rte_rdtsc();
	check_all_came(b, ours ? s->t->mode->name : "the bare loop");
	return end - start;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

// Of the passes of one side: whatever interrupted some of them is no cost of either.
static double per_packet(uint64_t passes[PASSES])
{
	qsort(passes, PASSES, sizeof(*passes), by_size);
	return (double)passes[PASSES / 2] / PACKETS;
}

static void measure(
	struct bench *b, const char *name, enum kind kind, uint32_t users, const struct side *s
)
{
	// every CPE is learned before
	for (uint32_t next = 0; next < users && kind == UP; next += PACKETS) {
		refill(b, kind, users, next);
		pass(b, s, true);
		refill(b, kind, users, next);
		pass(b, s, false);
	}
	printf("%s\n  \"%s\": {\"users\": %u, \"pairs\": [", kind == PLAIN ? "" : ",", name, users);
	for (unsigned i = 0; i < REPEATS; i++) {
		uint64_t cycles[2][PASSES];

		for (unsigned k = 0; k < 2 * PASSES; k++) {
			bool ours = (k + i) % 2 == 0;

			refill(b, kind, users, UINT32_MAX);
			cycles[ours ? 0 : 1][k / 2] = pass(b, s, ours);
		}
		printf("%s[%.2f, %.2f]",
		       i > 0 ? ", " : "",
		       per_packet(cycles[0]),
		       per_packet(cycles[1]));
	}
	printf("]}");
	fflush(stdout);
}

// ---- tables of the bare loops: their own memory, the same content

static struct bare make_bare(const struct bench *b, struct fib fib, uint32_t users, bool up)
{
	struct bare_hop *hops = rte_zmalloc(NULL, (HOPS + 1) * sizeof(*hops), 64);
	struct bare_entry *by_tags =
		rte_zmalloc(NULL, sizeof(*by_tags) * (((users >> 12) + 1) << 12), 64);
	struct bare bare = {
		.port = b->port,
		.fib = fib,
		.hops = hops,
		.by_tags = by_tags,
		.users = rte_zmalloc(NULL, (users + 1) * sizeof(*bare.users), 64),
		.nusers = users,
		.first = FIRST_KEY,
		.now = 1,
		.secret = UINT64_C(0x9e3779b97f4a7c15),
	};
	uint16_t stype = RTE_BE16(RTE_ETHER_TYPE_QINQ);

	must(hops != NULL && by_tags != NULL && bare.users != NULL);
	memcpy(bare.access + 12, &stype, sizeof(stype));
	for (unsigned i = 0; i < HOPS; i++) {
		struct tunnel_hdr h = {
			.dst = {{2, 0, 0, 1, 0, (uint8_t)i}},
			.type = RTE_BE16(up ? RTE_ETHER_TYPE_MPLS : RTE_ETHER_TYPE_IPV4),
			.label = rte_cpu_to_be_32((16 + i) << 12 | 1 << 8 | 64),
			.gre_flags = RTE_BE16(GRE_KEY),
			.gre_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		};

		ip_header(&h.ip, 0, IPPROTO_GRE, 0, 0xc0000200 + i);
		h.ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
		h.ip.hdr_checksum = 0;
		memcpy(hops[i + 1].head, &h, sizeof(h));
		hops[i + 1].sum = (uint16_t)~rte_ipv4_cksum(&h.ip);
	}
	for (uint32_t i = 0; i < users; i++) {
		bare.users[i + 1].stag = rte_cpu_to_be_16((uint16_t)(i >> 12));
		bare.users[i + 1].ctag = rte_cpu_to_be_16(i & 4095);
		if (up)
			by_tags[i].number = i + 1;
	}
	return bare;
}

static void free_bare(struct bare *b)
{
	rte_free((void *)b->hops);
	rte_free((void *)b->by_tags);
	rte_free(b->users);
}

static void both_ways(struct bench *b, struct fib fib, unsigned k, uint32_t users)
{
	char table[16], name[32];
	struct bare bare = make_bare(b, fib, users, true);
	struct side s = {.bare = &bare};

	snprintf(table, sizeof(table), "users%u", k);
	s.t = make_task(b, "qinqdecapv4", table);
	s.loop = bare_up;
	snprintf(name, sizeof(name), "upstream %u", users);
	measure(b, name, UP, users, &s);
	task_end(s.t);
	s.t = make_task(b, "qinqencapv4", table);
	s.loop = bare_down;
	snprintf(name, sizeof(name), "downstream %u", users);
	measure(b, name, DOWN, users, &s);
	free_bare(&bare);
}

int main(int argc, char **argv)
{
	char *eal[] = {
		argv[0],
		(char *)"--no-pci",
		(char *)"--in-memory",
		(char *)"--no-telemetry",
		(char *)"--log-level=lib.eal:error",
		(char *)"-l",
		(char *)(argc > 1 ? argv[1] : "1"),
		NULL};
	static struct bench b = {.random = 88172645463325252};
	unsigned users[3] = {1000, 65536, 1000000};
	struct route_table *routes;
	struct user_table *table;
	struct specs specs = {0};
	struct err err = {0};
	struct side plain;
	struct bare bare;
	uint64_t start;

	must(rte_eal_init((int)ARRAY_LEN(eal) - 1, eal) >= 0);
	b.nroutes = argc > 2 ? strtoul(argv[2], NULL, 10) : ROUTES;
	make(&b);
	load(&b, &specs, users);
	must(tables_begin(&specs, NULL, &err) == 0);
	start = rte_rdtsc();
	if (tables_routes("routes", 0, &routes, &err) < 0) {
		fprintf(stderr, "bng_cycles: %s\n", err.msg);
		return 1;
	}
	b.seconds[1] = since(start);
	start = rte_rdtsc();
	must(tables_users("users2", 0, &table, &err) == 0);
	b.seconds[2] = since(start);
	printf("{\"tsc_mhz\": %.0f, \"burst\": %d, \"packets\": %d, \"routes\": %zu,\n"
	       " \"load_seconds\": {\"text\": %.3f, \"routes\": %.3f, \"subscribers\": %.3f},\n"
	       " \"cases\": {",
	       (double)rte_get_tsc_hz() / 1e6,
	       BURST,
	       PACKETS,
	       route_table_routes(routes),
	       b.seconds[0],
	       b.seconds[1],
	       b.seconds[2]);
	plain.t = make_task(&b, "routing", NULL);
	bare = make_bare(&b, *((struct route_view *)plain.t->state)->live->fib, 0, false);
	plain.bare = &bare;
	plain.loop = bare_routing;
	measure(&b, "routing", PLAIN, 0, &plain);
	for (unsigned k = 0; k < 3; k++)
		both_ways(&b, bare.fib, k, users[k]);
	printf("}}\n");
	rte_eal_cleanup();
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "drover_rig.h"
#include "rcu.h"
#include "table/file.h"
#include "table/route.h"
#include "table/tables.h"
#include "table/users.h"

#include <pthread.h>

static struct rig rig;

static struct spec *parse(struct specs *specs, const char *text)
{
	struct err err = {0};
	struct spec *s = NULL;

	assert_ok(specs_get(specs, "t", &s, &err), &err);
	assert_ok(table_parse(text, strlen(text), "t", s, &err), &err);
	return s;
}

static void no_head(const void *arg, const struct hop *hop, struct hop_head *head)
{
	(void)arg;
	head->sum = hop->id;
}

// The id of the hop where it leads; -1: nowhere.
static int leads(const struct route_view *v, uint32_t ip)
{
	const struct route_live *l = route_live(v);
	uint32_t hop = fib_find(l->fib, ip);

	return hop != 0 ? (int)l->heads[hop].sum : -1;
}

static const char hops[] = "hop,7,192.0.2.1,02:00:00:00:00:01,1,0\n"
			   "hop,65535,192.0.2.2,02:00:00:00:00:02,2,1\n";

static uint32_t random_state = 1;

static uint32_t draw(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8 | random_state << 24;
}

// Against a search through all of them.
static void test_longest_prefix(void **state)
{
	struct routes r = {0};
	struct route_table *t;
	struct route_view v;
	struct err err;

	(void)state;
	for (uint32_t i = 0; i < 64; i++) {
		struct hop hop = {.id = i, .mac = {2}};

		assert_ok(routes_add_hop(&r, &hop, &err), &err);
	}
	for (uint32_t i = 0; i < 3000; i++) {
		struct route at = {.depth = (uint8_t)(draw() % 33), .hop = i % 64};

		// close together, so that they lie in each other
		at.ip = (0x0a000000 | (draw() & 0xfffff))
			& (at.depth ? UINT32_MAX << (32 - at.depth) : 0);
		assert_ok(routes_add(&r, &at, &err), &err);
	}
	assert_ok(route_table_make("t", &r, SOCKET_ID_ANY, &t, &err), &err);
	assert_ok(route_view_make(t, 1, no_head, NULL, SOCKET_ID_ANY, &v, &err), &err);
	for (unsigned k = 0; k < 20000; k++) {
		uint32_t ip = 0x0a000000 | (draw() & 0x1fffff);
		int want = -1, best = -1;

		for (size_t i = 0; i < r.nroutes; i++) {
			const struct route *at = &r.routes[i];
			uint32_t mask = at->depth ? UINT32_MAX << (32 - at->depth) : 0;

			if ((ip & mask) == at->ip && at->depth >= best) {
				best = at->depth;
				want = (int)at->hop;
			}
		}
		assert_int_equal(leads(&v, ip), want);
	}
	route_view_done(&v);
	route_table_free(t);
	routes_free(&r);
}

static void test_routes_change(void **state)
{
	struct specs specs = {0}, other = {0};
	struct spec *s = parse(&specs, hops);
	struct hop hop = {.id = 3, .port = 1, .mac = {2}};
	struct route at = {.ip = 0x0a000000, .depth = 8, .hop = 7};
	struct route_table *t;
	struct route_view v, w;
	struct err err;

	(void)state;
	assert_ok(route_table_make("t", s->routes, SOCKET_ID_ANY, &t, &err), &err);
	assert_fails(
		route_view_make(t, 1, no_head, NULL, SOCKET_ID_ANY, &v, &err), &err, "output 1"
	);
	assert_ok(route_view_make(t, 2, no_head, NULL, SOCKET_ID_ANY, &v, &err), &err);
	assert_ok(route_view_make(t, 2, no_head, NULL, SOCKET_ID_ANY, &w, &err), &err);
	assert_int_equal(leads(&v, 0x0a000001), -1);
	assert_ok(route_table_add(t, &at, &err), &err);
	assert_int_equal(leads(&v, 0x0a000001), 7);
	assert_int_equal(leads(&w, 0x0a000001), 7);
	at.hop = 65535;
	assert_ok(route_table_add(t, &at, &err), &err);
	assert_int_equal(leads(&v, 0x0a000001), 65535);
	assert_int_equal(route_table_routes(t), 1);
	at = (struct route){.ip = 0x0a000010, .depth = 28, .hop = 3};
	assert_fails(route_table_add(t, &at, &err), &err, "no hop 3");
	assert_ok(route_table_add_hop(t, &hop, &err), &err);
	assert_fails(route_table_add_hop(t, &hop, &err), &err, "has a hop 3");
	hop = (struct hop){.id = 4, .port = 2, .mac = {2}};
	assert_fails(route_table_add_hop(t, &hop, &err), &err, "output 2");
	assert_ok(route_table_add(t, &at, &err), &err);
	assert_int_equal(leads(&v, 0x0a00001f), 3);
	assert_int_equal(leads(&v, 0x0a000020), 65535);
	// more groups of long prefixes than were asked for: it grows
	for (uint32_t i = 0; i < 600; i++) {
		at = (struct route){.ip = 0x0b000000 + (i << 8), .depth = 32, .hop = 7};
		assert_ok(route_table_add(t, &at, &err), &err);
	}
	assert_int_equal(leads(&v, 0x0b000000 + (599 << 8)), 7);
	assert_int_equal(leads(&v, 0x0a00001f), 3);
	assert_ok(route_table_del(t, 0x0a000010, 28, &err), &err);
	assert_int_equal(leads(&v, 0x0a00001f), 65535);
	assert_fails(route_table_del(t, 0x0a000010, 28, &err), &err, "no route 10.0.0.16/28");
	assert_int_equal(route_table_routes(t), 601);
	s = parse(&other, "hop,1,192.0.2.9,02:00:00:00:00:09,1,1\nroute,0.0.0.0/0,1\n");
	assert_ok(route_table_reload(t, s->routes, &err), &err);
	assert_int_equal(leads(&v, 0x0a00001f), 1);
	assert_int_equal(route_table_routes(t), 1);
	at = (struct route){.ip = 0x0a000000, .depth = 8, .hop = 1};
	assert_ok(route_table_add(t, &at, &err), &err); // with the copy of 0.0.0.0/0
	assert_int_equal(leads(&w, 0x01020304), 1);
	route_view_done(&v);
	route_view_done(&w);
	route_table_free(t);
	specs_free(&specs);
	specs_free(&other);
}

// The hop of the longest of n prefixes, by looking at all of them. 0: none.
static uint32_t longest(const struct route *list, size_t n, uint32_t ip)
{
	const struct route *best = NULL;

	for (size_t i = 0; i < n; i++) {
		uint32_t mask = list[i].depth > 0 ? UINT32_MAX << (32 - list[i].depth) : 0;

		if ((ip & mask) == list[i].ip && (best == NULL || list[i].depth > best->depth))
			best = &list[i];
	}
	return best != NULL ? best->hop : 0;
}

// Prefixes come and go at random in a few /24s, until groups run out and beyond.
static void test_fib_changes(void **state)
{
	static struct route list[400];
	const uint32_t most[] = {200, 40000}; // entries of 2 and of 4 bytes

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(most); k++) {
		struct routes none = {0};
		unsigned full = 0;
		struct fib *f;
		size_t n = 0;
		struct err err;

		assert_ok(fib_make(&none, NULL, most[k], SOCKET_ID_ANY, &f, &err), &err);
		assert_int_equal(f->wide, k == 1);
		for (unsigned i = 0; i < 6000; i++) {
			bool some = draw() % 4 == 0;
			uint8_t depth = (uint8_t)(some ? draw() % 33 : 25 + draw() % 8);
			uint32_t mask = depth > 0 ? UINT32_MAX << (32 - depth) : 0;
			uint32_t ip = (0x0a000000 + draw() % 0x40000) & mask, at = draw();

			if (n == ARRAY_LEN(list) || (n > 0 && draw() % 3 == 0)) {
				size_t one = draw() % n;

				assert_true(fib_has(f, list[one].ip, list[one].depth));
				fib_del(f, list[one].ip, list[one].depth);
				assert_false(fib_has(f, list[one].ip, list[one].depth));
				list[one] = list[--n];
			} else if (!fib_has(f, ip, depth)) {
				uint32_t hop = 1 + draw() % most[k];

				if (fib_add(f, ip, depth, hop, &err) == -ENOSPC) {
					// those that were removed are free only now
					struct fib *more;

					full++;
					assert_ok(fib_copy(f, SOCKET_ID_ANY, &more, &err), &err);
					fib_free(f);
					f = more;
					assert_ok(fib_add(f, ip, depth, hop, &err), &err);
				}
				list[n++] = (struct route){.ip = ip, .depth = depth, .hop = hop};
			}
			if (i % 1000 == 999)
				fib_settle(f);
			at = 0x0a000000 + at % 0x40000;
			assert_int_equal(fib_find(f, at), longest(list, n, at));
			if (n > 0) { // at the edges, too
				at = list[i % n].ip - i % 2;
				assert_int_equal(fib_find(f, at), longest(list, n, at));
			}
		}
		assert_true(full > 0);
		assert_int_equal(fib_routes(f), n);
		while (n-- > 0)
			fib_del(f, list[n].ip, list[n].depth);
		for (uint32_t at = 0x0a000000; at < 0x0a040000; at++)
			assert_int_equal(fib_find(f, at), 0);
		fib_free(f);
	}
}

struct reader {
	struct route_view *v;
	struct user_table *users;
	bool stop;
	uint64_t looks, wrong;
};

// As an lcore does: look, and say when nothing is held.
static void *read_for_ever(void *arg)
{
	struct reader *r = arg;

	rte_rcu_qsbr_thread_register(rcu[RCU_TABLES], 1);
	rte_rcu_qsbr_thread_online(rcu[RCU_TABLES], 1);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		const struct user_live *l = users_live(r->users);
		uint32_t number = users_by_tags(l, 7 << 12 | 42);
		struct cpe_slot cpe;

		for (unsigned i = 0; i < 32; i++)
			r->wrong += leads(r->v, 0x0a000000 + (i << 8)) < 0;
		r->wrong += number == 0 || l->records[number].key != rte_cpu_to_be_32(700042)
			    || !cpe_find(
				    l, &l->records[number], rte_cpu_to_be_32(0x0a000002), 0, 0, &cpe
			    );
		__atomic_store_n(&r->looks, r->looks + 1, __ATOMIC_RELAXED);
		rte_rcu_qsbr_quiescent(rcu[RCU_TABLES], 1);
	}
	rte_rcu_qsbr_thread_offline(rcu[RCU_TABLES], 1);
	rte_rcu_qsbr_thread_unregister(rcu[RCU_TABLES], 1);
	return NULL;
}

// Whatever is added, removed and reloaded: what stays is found at every moment.
static void test_changes_under_readers(void **state)
{
	struct specs specs = {0};
	struct spec *s = parse(
		&specs,
		"hop,1,192.0.2.9,02:00:00:00:00:09,1,0\nroute,10.0.0.0/8,1\nuser,7,42,700042\n"
		"cpe,700042,10.0.0.2,02:00:00:00:00:02,0\n"
	);
	struct route_table *t;
	struct user_table *u;
	struct route_view v;
	struct reader r = {.v = &v};
	pthread_t thread;
	struct err err;

	(void)state;
	assert_ok(tables_begin(NULL, NULL, &err), &err);
	assert_ok(route_table_make("t", s->routes, SOCKET_ID_ANY, &t, &err), &err);
	assert_ok(route_view_make(t, 1, no_head, NULL, SOCKET_ID_ANY, &v, &err), &err);
	assert_ok(user_table_make("t", s->users, SOCKET_ID_ANY, &u, &err), &err);
	assert_ok(user_table_add_cpes(u, s->cpes, &err), &err);
	r.users = u;
	assert_int_equal(pthread_create(&thread, NULL, read_for_ever, &r), 0);
	while (__atomic_load_n(&r.looks, __ATOMIC_RELAXED) == 0)
		sched_yield(); // on a busy machine it may begin when all is over
	for (uint32_t i = 0; i < 120; i++) {
		struct route at = {.ip = 0x0a000000 + ((i % 32) << 8), .depth = 25, .hop = 1};
		struct user user = {.svlan = 1, .cvlan = (uint16_t)i, .gre_id = 800000 + 7 * i};

		assert_ok(route_table_add(t, &at, &err), &err);
		assert_ok(route_table_del(t, at.ip, 25, &err), &err);
		assert_ok(user_table_add(u, &user, &err), &err);
		if (i % 2 == 0)
			assert_ok(user_table_del(u, user.gre_id, &err), &err);
		if (i % 40 == 39) {
			assert_ok(route_table_reload(t, s->routes, &err), &err);
			assert_ok(user_table_reload(u, s->users, &err), &err);
		}
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(r.looks > 100);
	assert_int_equal(r.wrong, 0);
	route_view_done(&v);
	route_table_free(t);
	user_table_free(u);
	tables_end();
	specs_free(&specs);
}

static uint64_t mac(uint8_t last)
{
	uint8_t m[8] = {2, 0, 0, 0, 0, last};

	return cpe_mac_port(m, 3);
}

static void make_users(const char *text, struct user_table **ret)
{
	struct specs specs = {0};
	struct spec *s = parse(&specs, text);
	struct err err;

	assert_ok(user_table_make("t", s->users, SOCKET_ID_ANY, ret, &err), &err);
	specs_free(&specs);
}

static struct user_record *record(struct user_table *t, uint32_t gre_id)
{
	uint32_t n = users_by_key(t->live, gre_id);

	return n != 0 && t->live->records[n].used ? &t->live->records[n] : NULL;
}

// As a packet of the subscriber says it, at `now`.
static enum cpe_learned learned(
	struct user_table *t, uint32_t gre_id, uint64_t mac_port, uint32_t ip, uint32_t now
)
{
	struct user_record *r = record(t, gre_id);
	struct user_entry *e = users_entry(
		t->live, (uint32_t)rte_be_to_cpu_16(r->stag) << 12 | rte_be_to_cpu_16(r->ctag)
	);

	assert_int_equal(e->number, users_by_key(t->live, gre_id));
	return cpe_learn(
		t,
		t->live,
		e,
		e->number,
		mac_port,
		rte_cpu_to_be_32(ip),
		(struct cpe_clock){now, now >> t->shift}
	);
}

static bool learn(
	struct user_table *t, uint32_t gre_id, uint64_t mac_port, uint32_t ip, uint32_t now
)
{
	return learned(t, gre_id, mac_port, ip, now) == CPE_LEARNED;
}

static bool finds(struct user_table *t, uint32_t gre_id, uint32_t ip, uint32_t now, uint8_t last)
{
	struct cpe_slot s;

	return cpe_find(t->live, record(t, gre_id), rte_cpu_to_be_32(ip), now, 10, &s)
	       && s.mac_port == mac(last);
}

static void test_users(void **state)
{
	static const char *const texts[] = {
		"user,7,42,5\nuser,7,43,6\nuser,4095,4095,9\n",		 // close together
		"user,7,42,5\nuser,7,43,6\nuser,4095,4095,4294967295\n", // far apart: a hash
	};
	const uint32_t last[] = {9, UINT32_MAX};

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct user user = {.svlan = 7, .cvlan = 42, .gre_id = 77};
		struct user_table *t;
		struct err err;

		make_users(texts[k], &t);
		assert_true((t->live->by_key != NULL) == (k == 1));
		assert_int_equal(user_table_users(t), 3);
		assert_non_null(record(t, 5));
		assert_null(record(t, 7));
		assert_non_null(record(t, last[k]));
		assert_ptr_equal(
			&t->live->records[users_by_tags(t->live, 4095 << 12 | 4095)],
			record(t, last[k])
		);
		assert_int_equal(users_by_tags(t->live, 7 << 12 | 44), 0);
		assert_int_equal(users_by_tags(t->live, 4094 << 12 | 4095), 0);
		assert_fails(user_table_add(t, &user, &err), &err, "those of subscriber 5");
		user = (struct user){.svlan = 7, .cvlan = 44, .gre_id = 6};
		assert_fails(user_table_add(t, &user, &err), &err, "6 is there twice");
		user.gre_id = 3000000000; // far away: everything moves
		assert_true(learn(t, 5, mac(1), 0x0a000001, 3));
		assert_ok(user_table_add(t, &user, &err), &err);
		assert_non_null(record(t, 3000000000));
		assert_true(finds(t, 5, 0x0a000001, 4, 1));
		assert_ok(user_table_del(t, 5, &err), &err);
		assert_fails(user_table_del(t, 5, &err), &err, "no subscriber 5");
		assert_null(record(t, 5));
		assert_int_equal(users_by_tags(t->live, 7 << 12 | 42), 0);
		user = (struct user){.svlan = 7, .cvlan = 42, .gre_id = 5};
		assert_ok(user_table_add(t, &user, &err), &err);
		assert_false(finds(t, 5, 0x0a000001, 4, 1)); // its predecessor's
		assert_int_equal(user_table_users(t), 4);
		for (uint32_t i = 0; i < 40; i++) { // S-VLANs that are new, more than are spare
			user = (struct user){
				.svlan = (uint16_t)(100 + i), .cvlan = 1, .gre_id = 20 + i};
			assert_ok(user_table_add(t, &user, &err), &err);
		}
		for (uint32_t i = 0; i < 40; i++)
			assert_ptr_equal(
				&t->live->records[users_by_tags(t->live, (100 + i) << 12 | 1)],
				record(t, 20 + i)
			);
		assert_int_equal(user_table_users(t), 44);
		user_table_free(t);
	}
}

static void test_cpes(void **state)
{
	struct user_table *t;
	struct user_live *l;
	struct cpes c = {0};
	struct cpe one = {.gre_id = 5, .ip = 0x0a000063, .mac = {2, 0, 0, 0, 0, 99}};
	struct cpe_slot s;
	struct err err;

	(void)state;
	make_users("user,7,42,5\nuser,7,43,6\n", &t);
	l = t->live;
	assert_int_equal(user_table_age(t, 10), 11);
	for (uint32_t i = 1; i <= 15; i++)
		assert_true(learn(t, 5, mac((uint8_t)i), 0x0a000000 + i, i));
	for (uint32_t i = 1; i <= 15; i++)
		assert_int_equal(
			finds(t, 5, 0x0a000000 + i, 15, (uint8_t)i), i >= 5
		); // older than 10
	assert_false(finds(t, 6, 0x0a000001, 1, 1));
	// there is no place for one more while all are known; each of the 15 stays reachable
	for (unsigned k = 0; k < 2; k++)
		assert_int_equal(learned(t, 5, mac(16), 0x0a000010, 11), CPE_TOO_MANY);
	assert_false(finds(t, 5, 0x0a000010, 11, 16));
	assert_true(finds(t, 5, 0x0a000001, 11, 1));
	// then it takes the place of the oldest, which is forgotten, and of no other
	assert_true(learn(t, 5, mac(16), 0x0a000010, 13));
	assert_true(finds(t, 5, 0x0a000010, 13, 16));
	assert_false(finds(t, 5, 0x0a000001, 13, 1));
	assert_true(finds(t, 5, 0x0a000003, 13, 3));
	assert_true(finds(t, 5, 0x0a000002, 12, 2));
	// it moved
	assert_true(learn(t, 5, mac(77), 0x0a000002, 12));
	assert_true(finds(t, 5, 0x0a000002, 12, 77));
	// what no machine can have
	assert_false(learn(t, 6, mac(1), 0, 1));
	assert_false(learn(t, 6, mac(1), 0xe0000001, 1));
	assert_false(learn(t, 6, mac(1) | 1, 0x0a000001, 1));
	assert_false(learn(t, 6, 0, 0x0a000001, 1));
	// the router's own
	user_table_own(t, rte_cpu_to_be_32(0x0a0000fe));
	user_table_own(t, 0); // none
	assert_int_equal(learned(t, 6, mac(1), 0x0a0000fe, 1), CPE_CANNOT_BE);
	assert_false(finds(t, 6, 0x0a0000fe, 1, 1));
	// the clock wraps
	assert_true(learn(t, 6, mac(1), 0x0a000001, UINT32_MAX - 3));
	assert_true(finds(t, 6, 0x0a000001, 2, 1));
	assert_false(finds(t, 6, 0x0a000001, 9, 1));
	assert_ok(cpes_add(&c, &one, &err), &err);
	assert_ok(user_table_add_cpes(t, &c, &err), &err);
	assert_true(cpe_find(l, record(t, 5), rte_cpu_to_be_32(one.ip), 1u << 30, 1, &s));
	assert_int_equal(s.mac_port >> 48, CPE_OUTPUT);
	for (uint32_t i = 0; i < 100; i++) // however many others come
		learn(t, 5, mac(1), 0x0a010000 + i, 20 + i);
	assert_true(cpe_find(l, record(t, 5), rte_cpu_to_be_32(one.ip), 1u << 30, 1, &s));
	c.list[0].gre_id = 4;
	assert_fails(user_table_add_cpes(t, &c, &err), &err, "no such subscriber");
	cpes_free(&c);
	user_table_free(t);
}

// A packet that says nothing new writes nothing, until the period is over.
static void test_periods(void **state)
{
	const uint32_t age = 100, kept = age + 4; // periods of 4
	struct user user = {.svlan = 7, .cvlan = 42, .gre_id = 5};
	struct user_table *t;
	struct user_record *r;
	struct cpe_slot s;
	struct err err;

	(void)state;
	make_users("user,7,42,5\nuser,7,43,6\n", &t);
	assert_int_equal(user_table_age(t, age), kept);
	assert_int_equal(user_table_age(t, 2000), 2000 + 64); // another task's; the shorter holds
	assert_int_equal(t->shift, 2);
	r = record(t, 5);
	assert_true(learn(t, 5, mac(1), 0x0a000001, 9));
	assert_true(learn(t, 5, mac(1), 0x0a000001, 11));
	assert_int_equal(r->cpe.seen, 9);
	assert_true(learn(t, 5, mac(1), 0x0a000001, 12));
	assert_int_equal(r->cpe.seen, 12);
	// last seen at 15: not forgotten before 100 later
	assert_true(learn(t, 5, mac(1), 0x0a000001, 15));
	assert_true(cpe_find(t->live, r, rte_cpu_to_be_32(0x0a000001), 15 + age, kept, &s));
	assert_false(cpe_find(t->live, r, rte_cpu_to_be_32(0x0a000001), 16 + kept, kept, &s));
	// what is new is written at once: another MAC, another CPE, and the first again
	assert_true(learn(t, 5, mac(2), 0x0a000001, 15));
	assert_int_equal(r->cpe.mac_port, mac(2));
	assert_true(learn(t, 5, mac(3), 0x0a000003, 15));
	assert_true(learn(t, 5, mac(4), 0x0a000001, 15));
	assert_int_equal(r->cpe.mac_port, mac(4));
	// nor is what its predecessor said
	assert_ok(user_table_del(t, 5, &err), &err);
	assert_ok(user_table_add(t, &user, &err), &err);
	assert_false(cpe_find(t->live, r, rte_cpu_to_be_32(0x0a000001), 15, kept, &s));
	assert_true(learn(t, 5, mac(4), 0x0a000001, 15));
	assert_true(cpe_find(t->live, r, rte_cpu_to_be_32(0x0a000001), 15, kept, &s));
	user_table_free(t);
}

static void test_text(void **state)
{
	static const char *const wrong[] = {
		"hop",
		"hop,",
		"hop,1,1.2.3.4,02:00:00:00:00:01,1",
		"hop,1,1.2.3.4,02:00:00:00:00:01,1,0,",
		"hop,01,1.2.3.4,02:00:00:00:00:01,1,0",
		"hop,1,1.2.3,02:00:00:00:00:01,1,0",
		"hop,1,1.2.3.256,02:00:00:00:00:01,1,0",
		"hop,1,1.2.3.4,02:00:00:00:00:0g,1,0",
		"hop,1,1.2.3.4,00:00:00:00:00:00,1,0",
		"route,1.2.3.0/24",
		"route,1.2.3.0/24,99999999999",
		"route,1.2.3.0/24,-1",
		"route,1.2.3.0/24 ,1",
		" user,1,1,1",
		"user,1,1,4294967296",
		"user,4096,1,1",
		"user,1,1,1\r",
		"cpe,1,0.0.0.0,02:00:00:00:00:01,0",
		"cpe,1,1.2.3.4,02:00:00:00:00:01,16",
		"x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct specs specs = {0};
		struct spec *s;
		struct err err;
		char text[128];

		snprintf(text, sizeof(text), "# first\n\n%s", wrong[i]);
		assert_ok(specs_get(&specs, "t", &s, &err), &err);
		assert_fails(table_parse(text, strlen(text), "t.csv", s, &err), &err, "t.csv:3: ");
		specs_free(&specs);
	}
}

static int start(void **state)
{
	(void)state;
	rig_start(&rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_prefix),
		cmocka_unit_test(test_routes_change),
		cmocka_unit_test(test_fib_changes),
		cmocka_unit_test(test_changes_under_readers),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_cpes),
		cmocka_unit_test(test_periods),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}

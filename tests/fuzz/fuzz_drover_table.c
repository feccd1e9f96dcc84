// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A table in text is refused with a line and a reason, or all that it holds is within its limits, is the
// same when it is written down and read again, and a table for the data path can be made of it in which
// every route and subscriber is found.

#include "fuzz.h"

#include "../unit/drover_rig.h"

#include "table/fib.h"
#include "table/file.h"
#include "table/users.h"

#include <stdarg.h>
#include <stdbool.h>

#define LINE 96 // the longest has 60
#define MADE 64 // tables of more entries are not made: it takes long
#define SLOTS 4096
#define HOPS 0xffff // their numbers are their ids, from 1

static char *text;
static size_t text_len;

static void add_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_len += (size_t)vsnprintf(text + text_len, LINE, fmt, ap);
	va_end(ap);
}

#define DOTTED "%u.%u.%u.%u"
#define BYTES(ip) (ip) >> 24, (ip) >> 16 & 255, (ip) >> 8 & 255, (ip)&255
#define COLONS "%02x:%02x:%02x:%02x:%02x:%02x"
#define OCTETS(m) (m)[0], (m)[1], (m)[2], (m)[3], (m)[4], (m)[5]

static void must_be_mac(const uint8_t *mac)
{
	static const uint8_t zero[6];

	must((mac[0] & 1) == 0 && memcmp(mac, zero, sizeof(zero)) != 0);
}

static void write_routes(const struct routes *r)
{
	for (size_t i = 0; i < r->nhops; i++) {
		const struct hop *h = &r->hops[i];

		must(h->id < SPEC_HOPS && h->mpls < SPEC_LABELS && h->port < SPEC_HOP_PORTS);
		must_be_mac(h->mac);
		add_line(
			"hop,%u," DOTTED "," COLONS ",%u,%u\n",
			h->id,
			BYTES(h->ip),
			OCTETS(h->mac),
			h->mpls,
			h->port
		);
	}
	for (size_t i = 0; i < r->nroutes; i++) {
		const struct route *t = &r->routes[i];

		must(t->depth <= 32 && t->hop < SPEC_HOPS);
		must(t->depth == 32 || (t->ip & UINT32_MAX >> t->depth) == 0);
		add_line("route," DOTTED "/%u,%u\n", BYTES(t->ip), t->depth, t->hop);
	}
}

static void write_all(const struct spec *s)
{
	if (s->routes != NULL)
		write_routes(s->routes);
	for (size_t i = 0; s->users != NULL && i < s->users->n; i++) {
		const struct user *u = &s->users->list[i];

		must(u->svlan < SPEC_VLANS && u->cvlan < SPEC_VLANS);
		add_line("user,%u,%u,%u\n", u->svlan, u->cvlan, u->gre_id);
	}
	for (size_t i = 0; s->cpes != NULL && i < s->cpes->n; i++) {
		const struct cpe *c = &s->cpes->list[i];

		must(c->ip != 0 && c->port < SPEC_HOP_PORTS);
		must_be_mac(c->mac);
		add_line(
			"cpe,%u," DOTTED "," COLONS ",%u\n",
			c->gre_id,
			BYTES(c->ip),
			OCTETS(c->mac),
			c->port
		);
	}
}

static void must_be_same(const struct spec *a, const struct spec *b)
{
	must((a->routes == NULL) == (b->routes == NULL));
	must((a->users == NULL) == (b->users == NULL) && (a->cpes == NULL) == (b->cpes == NULL));
	if (a->routes != NULL) {
		must(a->routes->nhops == b->routes->nhops);
		must(a->routes->nroutes == b->routes->nroutes);
		for (size_t i = 0; i < a->routes->nroutes; i++) {
			const struct route *p = &a->routes->routes[i], *q = &b->routes->routes[i];

			must(p->ip == q->ip && p->depth == q->depth && p->hop == q->hop);
		}
	}
	if (a->users != NULL)
		must(a->users->n == b->users->n
		     && memcmp(a->users->list, b->users->list, a->users->n * sizeof(struct user))
				== 0);
	if (a->cpes != NULL)
		must(a->cpes->n == b->cpes->n);
}

static void read_again(const struct spec *s, size_t lines)
{
	struct specs specs = {0};
	struct spec *again;
	struct err err;

	text = malloc((lines + 1) * LINE);
	must(text != NULL);
	text_len = 0;
	write_all(s);
	must(specs_get(&specs, "t", &again, &err) == 0);
	must(table_parse(text, text_len, "t", again, &err) == 0);
	must_be_same(s, again);
	specs_free(&specs);
	free(text);
}

// The hop of the longest prefix, by looking at all of them; of two that are the same the later.
static uint32_t longest(const struct routes *r, uint32_t ip)
{
	const struct route *best = NULL;

	for (size_t i = 0; i < r->nroutes; i++) {
		const struct route *t = &r->routes[i];
		uint32_t mask = t->depth > 0 ? UINT32_MAX << (32 - t->depth) : 0;

		if ((ip & mask) == t->ip && (best == NULL || t->depth >= best->depth))
			best = t;
	}
	return best != NULL ? best->hop + 1 : 0;
}

// How many /24s are written where each route is made once. A default route has them all, which takes 10 s here:
// tests/unit/test_drover_tables.c has those.
static size_t slots(const struct routes *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nroutes; i++)
		n += r->routes[i].depth < 24 ? (size_t)1 << (24 - r->routes[i].depth) : 1;
	return n;
}

// Made at once; and from nothing, route by route, then back to nothing.
static void make_routes(const struct routes *r)
{
	static uint32_t number[SPEC_HOPS];
	const struct routes none = {0};
	struct fib *whole, *grown;
	struct err err;

	if (routes_check(r, &err) < 0) {
		must_explain(&err);
		return;
	}
	for (uint32_t i = 0; i < SPEC_HOPS; i++)
		number[i] = i + 1;
	must(fib_make(r, number, HOPS + 1, SOCKET_ID_ANY, &whole, &err) == 0);
	must(fib_make(&none, number, HOPS + 1, SOCKET_ID_ANY, &grown, &err) == 0);
	for (size_t i = 0; i < r->nroutes; i++) {
		const struct route *t = &r->routes[i];

		must(fib_add(grown, t->ip, t->depth, t->hop + 1, &err) == 0);
		must(fib_has(grown, t->ip, t->depth));
	}
	must(fib_routes(whole) == fib_routes(grown));
	for (size_t i = 0; i < r->nroutes; i++) {
		uint32_t first = r->routes[i].ip;
		uint32_t last = (uint32_t)(first + (UINT64_C(1) << (32 - r->routes[i].depth)) - 1);
		const uint32_t ips[] = {first, last, first - 1, last + 1};

		for (unsigned k = 0; k < ARRAY_LEN(ips); k++) {
			must(fib_find(whole, ips[k]) == longest(r, ips[k]));
			must(fib_find(grown, ips[k]) == longest(r, ips[k]));
		}
	}
	for (size_t i = 0; i < r->nroutes; i++)
		fib_del(grown, r->routes[i].ip, r->routes[i].depth);
	must(fib_routes(grown) == 0);
	for (size_t i = 0; i < r->nroutes; i++)
		must(fib_find(grown, r->routes[i].ip) == 0);
	fib_free(whole);
	fib_free(grown);
}

static void make_users(const struct spec *s)
{
	struct user_table *t;
	struct err err;

	if (user_table_make("t", s->users, SOCKET_ID_ANY, &t, &err) < 0) {
		must_explain(&err);
		return;
	}
	for (size_t i = 0; i < s->users->n; i++) {
		const struct user *u = &s->users->list[i];
		uint32_t n = users_by_tags(t->live, (uint32_t)u->svlan << 12 | u->cvlan);

		must(n != 0 && n == users_by_key(t->live, u->gre_id));
		must(users_key(t->live, n) == rte_cpu_to_be_32(u->gre_id));
		must(t->live->records[n].stag == rte_cpu_to_be_16(u->svlan));
	}
	if (s->cpes != NULL && user_table_add_cpes(t, s->cpes, &err) < 0)
		must_explain(&err);
	user_table_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct rig rig;
	_cleanup_free_ char *s = fuzz_string(data, len);
	struct specs specs = {0};
	struct spec *spec;
	size_t lines = 1;
	struct err err = {0};

	if (rig.pool == NULL)
		rig_start(&rig);
	for (size_t i = 0; i < len; i++)
		lines += data[i] == '\n';
	must(specs_get(&specs, "t", &spec, &err) == 0);
	if (table_parse(s, len, "f", spec, &err) < 0) {
		must_explain(&err);
		must(strncmp(err.msg, "f:", 2) == 0);
	} else {
		read_again(spec, lines);
		if (spec->routes != NULL && spec->routes->nroutes <= MADE
		    && slots(spec->routes) <= SLOTS)
			make_routes(spec->routes);
		if (spec->users != NULL && spec->users->n <= MADE)
			make_users(spec);
	}
	specs_free(&specs);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "table/route.h"

#include "base/scope.h"
#include "rcu.h"
#include "table/fib.h"

#include <errno.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define MORE_HOPS 1024 // that can be added before the headers need another place

struct route_table {
	char name[SPEC_NAME];
	int socket;
	unsigned nports; // the fewest outputs among the views' tasks
	struct fib *fib;
	unsigned nhops, room; // of hops; the FIB's hop n is hops[n - 1]
	struct hop *hops;
	struct route_view *views;
};

static const struct hop *hop_by_id(const struct route_table *t, uint32_t id, uint32_t *ret)
{
	for (uint32_t i = 0; i < t->nhops; i++) {
		if (t->hops[i].id == id) {
			*ret = i + 1;
			return &t->hops[i];
		}
	}
	return NULL;
}

static int check_port(const struct hop *hop, unsigned nports, struct err *err)
{
	if (hop->port < nports)
		return 0;
	return err_set(
		err,
		EINVAL,
		"hop %u leads to output %u: a task that uses the table has outputs 0 to %u",
		hop->id,
		hop->port,
		nports - 1
	);
}

static void live_free(struct route_live *l)
{
	if (l != NULL)
		rte_free((void *)l->heads);
	rte_free(l);
}

static struct route_live *live_make(
	const struct route_view *v,
	struct fib *fib,
	const struct hop *hops,
	unsigned nhops,
	unsigned room,
	struct err *err
)
{
	struct route_live *l = rte_zmalloc_socket("route live", sizeof(*l), 64, v->socket);
	struct hop_head *heads =
		rte_zmalloc_socket("hops", (room + 1) * sizeof(*heads), 64, v->socket);

	if (l == NULL || heads == NULL) {
		rte_free(l);
		rte_free(heads);
		err_set(err, ENOMEM, "no memory for %u hops; grant more hugepages", room);
		return NULL;
	}
	for (unsigned i = 0; i < nhops; i++) {
		heads[i + 1].port = hops[i].port;
		v->fill(v->arg, &hops[i], &heads[i + 1]);
	}
	*l = (struct route_live){.fib = fib, .heads = heads};
	return l;
}

int route_view_make(
	struct route_table *t,
	unsigned nports,
	route_head_fn fill,
	const void *arg,
	int socket,
	struct route_view *ret,
	struct err *err
)
{
	struct route_view v = {
		.table = t, .fill = fill, .arg = arg, .socket = socket, .next = t->views};

	for (unsigned i = 0; i < t->nhops; i++) {
		if (check_port(&t->hops[i], nports, err) < 0)
			return err_wrap(err, "route table '%s'", t->name);
	}
	v.live = live_make(&v, t->fib, t->hops, t->nhops, t->room, err);
	if (v.live == NULL)
		return -err->code;
	if (nports < t->nports)
		t->nports = nports;
	*ret = v;
	t->views = ret;
	return 0;
}

void route_view_done(struct route_view *v)
{
	struct route_view **at;

	if (v->table == NULL)
		return;
	for (at = &v->table->views; *at != v; at = &(*at)->next)
		;
	*at = v->next;
	live_free(v->live);
	*v = (struct route_view){0};
}

// Content of a table, made beside the one in use.
struct content {
	struct fib *fib;
	struct hop *hops;
	unsigned nhops, room;
};

static void content_free(struct content *c)
{
	fib_free(c->fib);
	free(c->hops);
	*c = (struct content){0};
}

static int content_make(
	const char *name, const struct routes *r, int socket, struct content *ret, struct err *err
)
{
	struct content c = {.nhops = (unsigned)r->nhops, .room = (unsigned)r->nhops + MORE_HOPS};
	_cleanup_free_ uint32_t *number = calloc(SPEC_HOPS, sizeof(*number));

	if (routes_check(r, err) < 0)
		return err_wrap(err, "route table '%s'", name);
	c.hops = calloc(c.room, sizeof(*c.hops));
	if (c.hops == NULL || number == NULL) {
		content_free(&c);
		return err_oom(err);
	}
	for (unsigned i = 0; i < c.nhops; i++) {
		c.hops[i] = r->hops[i];
		number[r->hops[i].id] = i + 1;
	}
	if (fib_make(r, number, c.room, socket, &c.fib, err) < 0) {
		content_free(&c);
		return err_wrap(err, "route table '%s'", name);
	}
	*ret = c;
	return 0;
}

int route_table_make(
	const char *name,
	const struct routes *r,
	int socket,
	struct route_table **ret,
	struct err *err
)
{
	struct route_table *t = calloc(1, sizeof(*t));
	struct content c;

	if (t == NULL)
		return err_oom(err);
	if (content_make(name, r, socket, &c, err) < 0) {
		free(t);
		return -err->code;
	}
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->socket = socket;
	t->nports = SPEC_HOP_PORTS;
	t->fib = c.fib;
	t->hops = c.hops;
	t->nhops = c.nhops;
	t->room = c.room;
	*ret = t;
	return 0;
}

void route_table_free(struct route_table *t)
{
	if (t == NULL)
		return;
	fib_free(t->fib);
	free(t->hops);
	free(t);
}

// Gives every view what was made for it in spare; what it had is then in spare.
static void exchange(struct route_table *t)
{
	for (struct route_view *v = t->views; v != NULL; v = v->next)
		v->spare = __atomic_exchange_n(&v->live, v->spare, __ATOMIC_ACQ_REL);
}

static void free_spares(struct route_table *t)
{
	for (struct route_view *v = t->views; v != NULL; v = v->next) {
		live_free(v->spare);
		v->spare = NULL;
	}
}

static int make_spares(
	struct route_table *t,
	struct fib *fib,
	const struct hop *hops,
	unsigned nhops,
	unsigned room,
	struct err *err
)
{
	for (struct route_view *v = t->views; v != NULL; v = v->next) {
		v->spare = live_make(v, fib, hops, nhops, room, err);
		if (v->spare == NULL) {
			free_spares(t);
			return -err->code;
		}
	}
	return 0;
}

// Publishes the spares. If an lcore does not let go of the old ones in time they are put back: it may
// have seen both, so neither is freed.
static int publish(struct route_table *t, struct err *err)
{
	exchange(t);
	if (rcu_wait(RCU_TABLES, err) == 0)
		return 0;
	exchange(t);
	for (struct route_view *v = t->views; v != NULL; v = v->next)
		v->spare = NULL;
	return -err->code;
}

int route_table_reload(struct route_table *t, const struct routes *r, struct err *err)
{
	struct content c, old;

	for (size_t i = 0; i < r->nhops; i++) {
		if (check_port(&r->hops[i], t->nports, err) < 0)
			return err_wrap(err, "route table '%s'", t->name);
	}
	if (content_make(t->name, r, t->socket, &c, err) < 0)
		return -err->code;
	if (make_spares(t, c.fib, c.hops, c.nhops, c.room, err) < 0) {
		content_free(&c);
		return -err->code;
	}
	if (publish(t, err) < 0)
		return err_wrap(err, "route table '%s'", t->name);
	free_spares(t);
	old = (struct content){.fib = t->fib, .hops = t->hops};
	t->fib = c.fib;
	t->hops = c.hops;
	t->nhops = c.nhops;
	t->room = c.room;
	content_free(&old);
	return 0;
}

// Another FIB with more room, and the route.
static int add_in_larger(
	struct route_table *t, const struct route *route, uint32_t hop, struct err *err
)
{
	struct fib *f, *old = t->fib;

	if (fib_copy(old, t->socket, &f, err) < 0)
		return -err->code;
	if (fib_add(f, route->ip, route->depth, hop, err) < 0
	    || make_spares(t, f, t->hops, t->nhops, t->room, err) < 0) {
		fib_free(f);
		return -err->code;
	}
	if (publish(t, err) < 0)
		return -err->code;
	free_spares(t);
	t->fib = f;
	fib_free(old);
	return 0;
}

int route_table_add(struct route_table *t, const struct route *route, struct err *err)
{
	struct routes one = {0};
	uint32_t hop;
	int r;

	// the checks of an entry are in one place
	if (routes_add(&one, route, err) < 0)
		return -err->code;
	routes_free(&one);
	if (hop_by_id(t, route->hop, &hop) == NULL)
		return err_set(err, ENOENT, "table '%s' has no hop %u", t->name, route->hop);
	r = fib_add(t->fib, route->ip, route->depth, hop, err);
	if (r == -ENOSPC)
		r = add_in_larger(t, route, hop, err);
	return r < 0 ? err_wrap(err, "route table '%s'", t->name) : 0;
}

int route_table_del(struct route_table *t, uint32_t ip, uint8_t depth, struct err *err)
{
	struct err late;

	if (depth > 32 || !fib_has(t->fib, ip, depth))
		return err_set(
			err,
			ENOENT,
			"table '%s' has no route %u.%u.%u.%u/%u",
			t->name,
			ip >> 24,
			ip >> 16 & 255,
			ip >> 8 & 255,
			ip & 255,
			depth
		);
	fib_del(t->fib, ip, depth);
	// the route is gone, whether or not what it needed can be used again already
	if (rcu_wait(RCU_TABLES, &late) == 0)
		fib_settle(t->fib);
	return 0;
}

int route_table_add_hop(struct route_table *t, const struct hop *hop, struct err *err)
{
	struct routes one = {0};
	uint32_t number;

	if (routes_add_hop(&one, hop, err) < 0)
		return -err->code;
	routes_free(&one);
	if (check_port(hop, t->nports, err) < 0)
		return -err->code;
	if (hop_by_id(t, hop->id, &number) != NULL)
		return err_set(err, EEXIST, "table '%s' has a hop %u", t->name, hop->id);
	if (t->nhops == t->room)
		return err_set(
			err,
			ENOSPC,
			"table '%s' has room for %u hops; reload it for more",
			t->name,
			t->room
		);
	// no route leads there yet, so nobody reads it while it is written
	for (struct route_view *v = t->views; v != NULL; v = v->next) {
		struct hop_head *head = (struct hop_head *)&v->live->heads[t->nhops + 1];

		head->port = hop->port;
		v->fill(v->arg, hop, head);
	}
	t->hops[t->nhops++] = *hop;
	return 0;
}

size_t route_table_routes(const struct route_table *t)
{
	return fib_routes(t->fib);
}

size_t route_table_hops(const struct route_table *t)
{
	return t->nhops;
}

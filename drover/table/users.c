// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "table/users.h"

#include "table/rcu.h"

#include "base/scope.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE 1024  // subscribers that can be added without another place for all
#define SPREAD 4    // records that may be there for each in use, before a hash is better
#define MORE_PART 8 // one further record for so many subscribers
#define MORE_LEAST 4096

struct user_admin {
	char name[SPEC_NAME];
	int socket;
	size_t n; // subscribers
};

static uint32_t tags_of(uint16_t svlan, uint16_t cvlan)
{
	return (uint32_t)svlan << 12 | cvlan;
}

static uint32_t tags_of_record(const struct user_record *r)
{
	return tags_of(rte_be_to_cpu_16(r->stag), rte_be_to_cpu_16(r->ctag));
}

static void live_free(struct user_live *l)
{
	if (l == NULL)
		return;
	rte_free((void *)l->by_tags);
	rte_free(l->records);
	rte_hash_free(l->by_key);
	rte_free(l);
}

static struct rte_hash *hash_make(uint32_t n, int socket)
{
	static unsigned serial;
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters p = {
		.name = name,
		.entries = n,
		.key_len = sizeof(uint32_t),
		.hash_func = rte_hash_crc,
		.socket_id = socket,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	snprintf(name, sizeof(name), "users%u", serial++);
	return rte_hash_create(&p);
}

// Range of what is to be in the table.
struct extent {
	uint32_t low, high; // gre_ids
	uint32_t svlan;	    // highest
	size_t n;
};

static struct extent extent_of(const struct users *u)
{
	struct extent e = {.low = UINT32_MAX, .n = u->n};

	for (size_t i = 0; i < u->n; i++) {
		const struct user *at = &u->list[i];

		e.low = at->gre_id < e.low ? at->gre_id : e.low;
		e.high = at->gre_id > e.high ? at->gre_id : e.high;
		e.svlan = at->svlan > e.svlan ? at->svlan : e.svlan;
	}
	if (u->n == 0)
		e.low = 0;
	return e;
}

// An empty table of that extent.
static struct user_live *live_make(const struct extent *e, int socket, struct err *err)
{
	struct user_live *l = rte_zmalloc_socket("users", sizeof(*l), 64, socket);
	uint64_t span = (uint64_t)e->high - e->low + 1;
	uint64_t dense = (uint64_t)e->n * SPREAD + SPARE, n;
	uint32_t more = (uint32_t)(e->n / MORE_PART + MORE_LEAST);
	bool hash = span > dense;

	if (l == NULL)
		goto fail;
	n = (hash ? e->n : span) + SPARE;
	if (n + more >= UINT32_MAX)
		goto fail;
	l->first = e->low;
	l->n = (uint32_t)n;
	l->tags = (e->svlan + 1) << 12;
	l->more = (uint32_t)n + 1;
	l->more_end = l->more + more;
	l->by_tags = rte_zmalloc_socket("tags", l->tags * sizeof(*l->by_tags), 64, socket);
	l->records = rte_zmalloc_socket(
		"subscribers", (size_t)l->more_end * sizeof(*l->records), 64, socket
	);
	if (hash)
		l->by_key = hash_make((uint32_t)n, socket);
	if (l->by_tags != NULL && l->records != NULL && (!hash || l->by_key != NULL))
		return l;
fail:
	live_free(l);
	err_set(err, ENOMEM, "no memory for %zu subscribers; grant more hugepages", e->n);
	return NULL;
}

// The number of the record for a gre_id that is to be there; 0: none is left.
static uint32_t place(struct user_live *l, uint32_t gre_id)
{
	int32_t at;

	if (l->by_key == NULL)
		return users_by_key(l, gre_id);
	at = rte_hash_add_key(l->by_key, &gre_id);
	return at >= 0 && (uint32_t)at < l->n ? (uint32_t)at + 1 : 0;
}

static void clear(struct user_live *l, struct user_record *r)
{
	for (unsigned k = 0; k < USER_RECORDS; k++) {
		for (unsigned i = 0; i < USER_CPES; i++)
			cpe_store(&r->cpe[i], _mm_setzero_si128());
		// further records stay with it: its successor may want them
		if (r->more == 0)
			break;
		r = &l->records[r->more];
	}
}

// Nobody looks at the record before it is in by_tags, and used.
static int put(struct user_live *l, const struct user *u, struct err *err)
{
	uint32_t tags = tags_of(u->svlan, u->cvlan), number;
	struct user_record *r;

	if (tags < l->tags && l->by_tags[tags] != 0)
		return err_set(
			err,
			EEXIST,
			"subscriber %u: tags %u and %u are those of subscriber %u",
			u->gre_id,
			u->svlan,
			u->cvlan,
			rte_be_to_cpu_32(l->records[l->by_tags[tags]].key)
		);
	number = users_by_key(l, u->gre_id);
	if (number != 0 && l->records[number].used)
		return err_set(err, EEXIST, "subscriber %u is there twice", u->gre_id);
	number = tags < l->tags ? place(l, u->gre_id) : 0;
	if (number == 0)
		return err_set(err, ENOSPC, "no room for subscriber %u", u->gre_id);
	r = &l->records[number];
	clear(l, r);
	r->key = rte_cpu_to_be_32(u->gre_id);
	r->stag = rte_cpu_to_be_16(u->svlan);
	r->ctag = rte_cpu_to_be_16(u->cvlan);
	__atomic_store_n(&r->used, 1, __ATOMIC_RELEASE);
	__atomic_store_n((uint32_t *)&l->by_tags[tags], number, __ATOMIC_RELEASE);
	return 0;
}

static int fill(struct user_live *l, const struct users *u, struct err *err)
{
	for (size_t i = 0; i < u->n; i++) {
		if (put(l, &u->list[i], err) < 0)
			return -err->code;
	}
	return 0;
}

int user_table_make(
	const char *name,
	const struct users *u,
	int socket,
	struct user_table **ret,
	struct err *err
)
{
	struct user_table *t = calloc(1, sizeof(*t));
	struct extent e = extent_of(u);

	if (t != NULL)
		t->admin = calloc(1, sizeof(*t->admin));
	if (t == NULL || t->admin == NULL) {
		user_table_free(t);
		return err_oom(err);
	}
	snprintf(t->admin->name, sizeof(t->admin->name), "%s", name);
	t->admin->socket = socket;
	t->admin->n = u->n;
	t->live = live_make(&e, socket, err);
	if (t->live == NULL || fill(t->live, u, err) < 0) {
		user_table_free(t);
		return err_wrap(err, "user table '%s'", name);
	}
	*ret = t;
	return 0;
}

void user_table_free(struct user_table *t)
{
	if (t == NULL)
		return;
	live_free(t->live);
	free(t->admin);
	free(t);
}

// The CPEs of one record into one of another table.
static void move_cpes(
	const struct user_live *from,
	const struct user_record *r,
	struct user_live *to,
	uint32_t number
)
{
	struct user_record *into = &to->records[number];

	for (unsigned k = 0; k < USER_RECORDS; k++) {
		for (unsigned i = 0; i < USER_CPES; i++) {
			struct cpe_slot s = cpe_read(&r->cpe[i]), there;

			if (s.ip == 0)
				continue;
			// what is there may be younger already
			if (cpe_find(to, into, s.ip, s.seen, UINT32_MAX, &there)
			    && (int32_t)(s.seen - there.seen) <= 0)
				continue;
			cpe_learn_more(to, into, s.mac_port, s.ip, s.seen);
		}
		if (r->more == 0)
			break;
		r = &from->records[r->more];
	}
}

// What is known of the CPEs of all subscribers that are in both, with the same tags.
static void move_all(const struct user_live *from, struct user_live *to)
{
	for (uint32_t i = 1; i <= from->n; i++) {
		const struct user_record *r = &from->records[i];
		uint32_t number;

		if (!r->used)
			continue;
		number = users_by_tags(to, tags_of_record(r));
		if (number != 0 && to->records[number].key == r->key)
			move_cpes(from, r, to, number);
	}
}

// l takes the place of what there is.
static int exchange(struct user_table *t, struct user_live *l, struct err *err)
{
	struct user_live *old = t->live;

	move_all(old, l);
	__atomic_store_n(&t->live, l, __ATOMIC_RELEASE);
	if (table_rcu_wait(err) < 0) {
		// a core may look at either for as long as it likes
		__atomic_store_n(&t->live, old, __ATOMIC_RELEASE);
		return err_wrap(err, "user table '%s'", t->admin->name);
	}
	// what was learned since the first time
	move_all(old, l);
	live_free(old);
	return 0;
}

int user_table_reload(struct user_table *t, const struct users *u, struct err *err)
{
	struct extent e = extent_of(u);
	struct user_live *l = live_make(&e, t->admin->socket, err);

	if (l == NULL || fill(l, u, err) < 0) {
		live_free(l);
		return err_wrap(err, "user table '%s'", t->admin->name);
	}
	if (exchange(t, l, err) < 0)
		return -err->code;
	t->admin->n = u->n;
	return 0;
}

// All subscribers, as a list.
static int list_users(const struct user_live *l, struct users *ret, struct err *err)
{
	for (uint32_t i = 1; i <= l->n; i++) {
		const struct user_record *r = &l->records[i];
		struct user u = {
			.svlan = rte_be_to_cpu_16(r->stag),
			.cvlan = rte_be_to_cpu_16(r->ctag),
			.gre_id = rte_be_to_cpu_32(r->key),
		};

		if (r->used && users_add(ret, &u, err) < 0)
			return -err->code;
	}
	return 0;
}

static int add_in_larger(struct user_table *t, const struct user *user, struct err *err)
{
	struct users all = {0};
	struct extent e;
	struct user_live *l = NULL;
	int r = list_users(t->live, &all, err);

	if (r == 0)
		r = users_add(&all, user, err);
	if (r == 0) {
		e = extent_of(&all);
		// whoever adds one adds more
		e.n += e.n / 4;
		l = live_make(&e, t->admin->socket, err);
		r = l == NULL ? -err->code : fill(l, &all, err);
		if (r == 0)
			r = exchange(t, l, err);
		else
			live_free(l);
	}
	users_free(&all);
	return r;
}

int user_table_add(struct user_table *t, const struct user *user, struct err *err)
{
	struct users one = {0};
	int r = users_add(&one, user, err); // the checks of an entry are in one place

	users_free(&one);
	if (r < 0)
		return r;
	r = put(t->live, user, err);
	if (r == -ENOSPC)
		r = add_in_larger(t, user, err);
	t->admin->n += r == 0;
	return r;
}

int user_table_del(struct user_table *t, uint32_t gre_id, struct err *err)
{
	struct user_live *l = t->live;
	uint32_t number = users_by_key(l, gre_id);
	struct user_record *r = &l->records[number];

	if (number == 0 || !r->used)
		return err_set(
			err, ENOENT, "table '%s' has no subscriber %u", t->admin->name, gre_id
		);
	__atomic_store_n((uint32_t *)&l->by_tags[tags_of_record(r)], 0, __ATOMIC_RELEASE);
	__atomic_store_n(&r->used, 0, __ATOMIC_RELEASE);
	t->admin->n--;
	// a core may be about to learn a CPE of it: it must not be the next one's
	if (table_rcu_wait(err) < 0)
		return err_wrap(err, "subscriber %u is removed, but", gre_id);
	clear(l, r);
	return 0;
}

static unsigned static_cpes(const struct user_live *l, const struct user_record *r)
{
	unsigned n = 0;

	for (;; r = &l->records[r->more]) {
		for (unsigned i = 0; i < USER_CPES; i++)
			n += r->cpe[i].ip != 0 && r->cpe[i].seen == CPE_STATIC;
		if (r->more == 0)
			return n;
	}
}

static int add_cpe(struct user_table *t, const struct cpe *c, struct err *err)
{
	struct user_live *l = t->live;
	uint32_t number = users_by_key(l, c->gre_id), ip = rte_cpu_to_be_32(c->ip);
	struct user_record *r = &l->records[number];
	uint8_t mac[8] = {0};
	struct cpe_slot s;

	if (number == 0 || !r->used)
		return err_set(
			err,
			ENOENT,
			"a CPE of subscriber %u: table '%s' has no such subscriber",
			c->gre_id,
			t->admin->name
		);
	if (static_cpes(l, r) >= USER_CPES * USER_RECORDS)
		return err_set(
			err,
			E2BIG,
			"subscriber %u has %d CPEs already",
			c->gre_id,
			USER_CPES * USER_RECORDS
		);
	memcpy(mac, c->mac, sizeof(c->mac));
	if (!cpe_learn_more(l, r, cpe_mac_port(mac, c->port | CPE_OUTPUT), ip, CPE_STATIC)
	    || !cpe_find(l, r, ip, 0, 0, &s) || s.seen != CPE_STATIC)
		return err_set(
			err,
			EINVAL,
			"CPE %u.%u.%u.%u of subscriber %u: no machine can have such an address, "
			"or there is no memory for it",
			c->ip >> 24,
			c->ip >> 16 & 255,
			c->ip >> 8 & 255,
			c->ip & 255,
			c->gre_id
		);
	return 0;
}

int user_table_add_cpes(struct user_table *t, const struct cpes *c, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		if (add_cpe(t, &c->list[i], err) < 0)
			return -err->code;
	}
	return 0;
}

size_t user_table_users(const struct user_table *t)
{
	return t->admin->n;
}

size_t user_table_cpes(
	const struct user_table *t,
	uint32_t age,
	size_t max,
	void (*each)(void *arg, const struct cpe_seen *cpe),
	void *arg
)
{
	const struct user_live *l = t->live;
	uint32_t now = cpe_now();
	size_t n = 0;

	for (uint32_t i = 1; i <= l->n; i++) {
		const struct user_record *r = &l->records[i], *at = r;

		for (unsigned k = 0; r->used && k < USER_RECORDS; k++) {
			for (unsigned c = 0; c < USER_CPES && n < max; c++) {
				struct cpe_slot s = cpe_read(&at->cpe[c]);
				struct cpe_seen seen = {
					.gre_id = rte_be_to_cpu_32(r->key),
					.ip = rte_be_to_cpu_32(s.ip),
					.svlan = rte_be_to_cpu_16(r->stag),
					.cvlan = rte_be_to_cpu_16(r->ctag),
					.port = (uint16_t)(s.mac_port >> 48),
					.is_static = s.seen == CPE_STATIC,
					.age = s.seen == CPE_STATIC ? 0 : now - s.seen,
				};

				if (s.ip == 0 || !cpe_fresh(&s, now, age))
					continue;
				memcpy(seen.mac, &s.mac_port, sizeof(seen.mac));
				each(arg, &seen);
				n++;
			}
			if (at->more == 0)
				break;
			at = &l->records[at->more];
		}
	}
	return n;
}

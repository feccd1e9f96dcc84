// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "table/users.h"

#include "base/scope.h"
#include "rcu.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SPARE 1024	// subscribers that can be added without another place for all
#define SPARE_BLOCKS 16 // the same for S-VLANs
#define SPREAD 4	// records that may be there for each in use, before a hash is better
#define MORE_PART 8	// one part of a chain for so many subscribers
#define MORE_LEAST 4096
#define PERIODS 16 // of learning, in the time after which a CPE is forgotten
#define SHIFT_MOST 7

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
	rte_free(l->by_tags);
	rte_free(l->records);
	rte_free(l->second);
	rte_free(l->more);
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
	size_t n;
	uint16_t blocks; // S-VLANs
	uint16_t block[SPEC_VLANS];
};

static struct extent extent_of(const struct users *u)
{
	struct extent e = {.low = UINT32_MAX, .n = u->n, .blocks = 1};

	for (size_t i = 0; i < u->n; i++) {
		const struct user *at = &u->list[i];

		e.low = at->gre_id < e.low ? at->gre_id : e.low;
		e.high = at->gre_id > e.high ? at->gre_id : e.high;
		if (e.block[at->svlan] == 0)
			e.block[at->svlan] = e.blocks++;
	}
	if (u->n == 0)
		e.low = 0;
	return e;
}

static void *zeroed(size_t n, size_t size, int socket)
{
	return rte_zmalloc_socket("subscribers", n * size, RTE_CACHE_LINE_SIZE, socket);
}

// An empty table of that extent.
static struct user_live *live_make(const struct extent *e, int socket, struct err *err)
{
	struct user_live *l = zeroed(1, sizeof(*l), socket);
	uint64_t span = (uint64_t)e->high - e->low + 1;
	uint64_t dense = (uint64_t)e->n * SPREAD + SPARE, n;
	bool hash = span > dense;

	if (l == NULL)
		goto fail;
	n = (hash ? e->n : span) + SPARE;
	if (n >= UINT32_MAX)
		goto fail;
	l->first = e->low;
	l->n = (uint32_t)n;
	l->blocks = e->blocks;
	l->blocks_end = (uint16_t)(e->blocks + SPARE_BLOCKS);
	memcpy(l->block, e->block, sizeof(l->block));
	l->free = 1;
	l->end = l->free + (uint32_t)(e->n / MORE_PART + MORE_LEAST);
	l->by_tags = zeroed((size_t)l->blocks_end << 12, sizeof(*l->by_tags), socket);
	l->records = zeroed(n + 1, sizeof(*l->records), socket);
	l->second = zeroed(n + 1, sizeof(*l->second), socket);
	l->more = zeroed(l->end, sizeof(*l->more), socket);
	if (hash)
		l->by_key = hash_make((uint32_t)n, socket);
	if (l->by_tags != NULL && l->records != NULL && l->second != NULL && l->more != NULL
	    && (!hash || l->by_key != NULL)
	    && getrandom(l->secret, sizeof(l->secret), 0) == sizeof(l->secret))
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

static void clear_slot(void *arg, struct cpe_slot *s)
{
	(void)arg;
	cpe_store(s, _mm_setzero_si128());
}

// The chain stays with the number: its next owner may want it.
static void clear(struct user_live *l, struct user_record *r)
{
	cpe_each(l, r, clear_slot, NULL);
}

static bool have_block(struct user_live *l, uint16_t svlan)
{
	if (l->block[svlan] == 0 && l->blocks < l->blocks_end)
		__atomic_store_n(&l->block[svlan], l->blocks++, __ATOMIC_RELEASE);
	return l->block[svlan] != 0;
}

// Nobody looks at the record before it is in by_tags, and used.
static int put(struct user_live *l, const struct user *u, struct err *err)
{
	uint32_t tags = tags_of(u->svlan, u->cvlan), number;
	struct user_entry *entry;
	struct user_record *r;

	if (users_by_tags(l, tags) != 0)
		return err_set(
			err,
			EEXIST,
			"subscriber %u: tags %u and %u are those of subscriber %u",
			u->gre_id,
			u->svlan,
			u->cvlan,
			rte_be_to_cpu_32(users_key(l, users_by_tags(l, tags)))
		);
	number = users_by_key(l, u->gre_id);
	if (number != 0 && l->records[number].used)
		return err_set(err, EEXIST, "subscriber %u is there twice", u->gre_id);
	number = have_block(l, u->svlan) ? place(l, u->gre_id) : 0;
	if (number == 0)
		return err_set(err, ENOSPC, "no room for subscriber %u", u->gre_id);
	r = &l->records[number];
	clear(l, r);
	r->key = rte_cpu_to_be_32(u->gre_id);
	r->stag = rte_cpu_to_be_16(u->svlan);
	r->ctag = rte_cpu_to_be_16(u->cvlan);
	__atomic_store_n(&r->used, 1, __ATOMIC_RELEASE);
	entry = users_entry(l, tags);
	entry->known = 0;
	__atomic_store_n(&entry->number, number, __ATOMIC_RELEASE);
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
	t->shift = SHIFT_MOST;
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

uint32_t user_table_age(struct user_table *t, uint32_t age)
{
	unsigned shift = 0;

	while (shift < SHIFT_MOST && age >> (shift + 1) >= PERIODS)
		shift++;
	if (shift < t->shift)
		t->shift = shift;
	return age + (1u << shift) > age ? age + (1u << shift) : age;
}

struct move {
	struct user_live *to;
	struct user_record *into;
};

static void move_cpe(void *arg, struct cpe_slot *from)
{
	const struct move *m = arg;
	struct cpe_slot s = cpe_read(from), there;

	if (s.ip == 0)
		return;
	// what is there may be younger already
	if (!cpe_find(m->to, m->into, s.ip, s.seen, UINT32_MAX, &there)
	    || (int32_t)(s.seen - there.seen) > 0)
		cpe_learn_more(m->to, m->into, s.mac_port, s.ip, s.seen);
}

// What is known of the CPEs of all subscribers that are in both, with the same tags.
static void move_all(const struct user_live *from, struct user_live *to)
{
	for (uint32_t i = 1; i <= from->n; i++) {
		const struct user_record *r = &from->records[i];
		struct user_entry *e = users_entry(to, tags_of_record(r));
		struct move m = {.to = to, .into = &to->records[e->number]};

		if (!r->used || e->number == 0 || m.into->key != r->key)
			continue;
		cpe_each(from, r, move_cpe, &m);
		// what a core has just learned may have had to go
		__atomic_store_n(&e->known, 0, __ATOMIC_RELAXED);
	}
}

// l takes the place of what there is.
static int exchange(struct user_table *t, struct user_live *l, struct err *err)
{
	struct user_live *old = t->live;

	move_all(old, l);
	__atomic_store_n(&t->live, l, __ATOMIC_RELEASE);
	if (rcu_wait(RCU_TABLES, err) < 0) {
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
	__atomic_store_n(&users_entry(l, tags_of_record(r))->number, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&r->used, 0, __ATOMIC_RELEASE);
	t->admin->n--;
	// a core may be about to learn a CPE of it: it must not be the next one's
	if (rcu_wait(RCU_TABLES, err) < 0)
		return err_wrap(err, "subscriber %u is removed, but", gre_id);
	clear(l, r);
	return 0;
}

static void count_static(void *arg, struct cpe_slot *s)
{
	unsigned *n = arg;

	*n += s->ip != 0 && s->seen == CPE_STATIC;
}

static int add_cpe(struct user_table *t, const struct cpe *c, struct err *err)
{
	struct user_live *l = t->live;
	uint32_t number = users_by_key(l, c->gre_id), ip = rte_cpu_to_be_32(c->ip);
	struct user_record *r = &l->records[number];
	uint8_t mac[8] = {0};
	uint64_t mac_port;
	struct cpe_slot s;
	unsigned n = 0;

	if (number == 0 || !r->used)
		return err_set(
			err,
			ENOENT,
			"a CPE of subscriber %u: table '%s' has no such subscriber",
			c->gre_id,
			t->admin->name
		);
	cpe_each(l, r, count_static, &n);
	if (n >= USER_CPES)
		return err_set(
			err, E2BIG, "subscriber %u has %d CPEs already", c->gre_id, USER_CPES
		);
	memcpy(mac, c->mac, sizeof(c->mac));
	mac_port = cpe_mac_port(mac, c->port | CPE_OUTPUT);
	if (cpe_may_be(mac_port, ip))
		cpe_learn_more(l, r, mac_port, ip, CPE_STATIC);
	// it may be in the place of another
	__atomic_store_n(&users_entry(l, tags_of_record(r))->known, 0, __ATOMIC_RELAXED);
	if (!cpe_find(l, r, ip, 0, 0, &s) || s.seen != CPE_STATIC)
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

struct show {
	const struct user_record *r;
	uint32_t now, age;
	size_t n, max;
	void (*each)(void *arg, const struct cpe_seen *cpe);
	void *arg;
};

static void show_slot(void *arg, struct cpe_slot *from)
{
	struct show *w = arg;
	struct cpe_slot s = cpe_read(from);
	struct cpe_seen seen = {
		.gre_id = rte_be_to_cpu_32(w->r->key),
		.ip = rte_be_to_cpu_32(s.ip),
		.svlan = rte_be_to_cpu_16(w->r->stag),
		.cvlan = rte_be_to_cpu_16(w->r->ctag),
		.port = (uint16_t)(s.mac_port >> 48),
		.is_static = s.seen == CPE_STATIC,
		.age = s.seen == CPE_STATIC ? 0 : w->now - s.seen,
	};

	if (s.ip == 0 || w->n == w->max || !cpe_fresh(&s, w->now, w->age))
		return;
	memcpy(seen.mac, &s.mac_port, sizeof(seen.mac));
	w->each(w->arg, &seen);
	w->n++;
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
	struct show w = {.now = cpe_now(), .age = age, .max = max, .each = each, .arg = arg};

	for (uint32_t i = 1; i <= l->n && w.n < max; i++) {
		w.r = &l->records[i];
		if (w.r->used)
			cpe_each(l, w.r, show_slot, &w);
	}
	return w.n;
}

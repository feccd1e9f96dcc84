// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// CPEs of a subscriber: all but the ordinary case, which is inline.

#include "table/users.h"

// CPEs of a subscriber, a few that lie together after another.
struct place {
	struct cpe_slot *cpe;
	unsigned n;
	unsigned count;	 // which place, from 0
	uint32_t *chain; // what leads to the next of the chain
};

static struct place first_place(struct user_record *r)
{
	return (struct place){.cpe = &r->cpe, .n = 1, .chain = &r->more};
}

static void enter(const struct user_live *l, struct place *p, uint32_t number)
{
	struct user_more *more = &l->more[number];

	p->cpe = more->cpe;
	p->n = USER_MORE;
	p->chain = &more->next;
	p->count++;
}

// False: there is no further one.
static bool next_place(const struct user_live *l, const struct user_record *r, struct place *p)
{
	uint32_t number;

	if (p->count == 0) {
		p->cpe = l->second[r - l->records].cpe;
		p->n = USER_SECOND;
		p->count = 1;
		return true;
	}
	number = __atomic_load_n(p->chain, __ATOMIC_ACQUIRE);
	if (number == 0)
		return false;
	enter(l, p, number);
	return true;
}

void cpe_each(
	const struct user_live *l,
	const struct user_record *r,
	void (*each)(void *arg, struct cpe_slot *s),
	void *arg
)
{
	struct place p = first_place((struct user_record *)r);

	do {
		for (unsigned i = 0; i < p.n; i++)
			each(arg, &p.cpe[i]);
	} while (next_place(l, r, &p));
}

bool cpe_find_more(
	const struct user_live *l,
	const struct user_record *r,
	uint32_t ip,
	uint32_t now,
	uint32_t age,
	struct cpe_slot *ret
)
{
	struct place p = first_place((struct user_record *)r);

	if (ip == 0)
		return false;
	do {
		for (unsigned i = 0; i < p.n; i++) {
			*ret = cpe_read(&p.cpe[i]);
			if (ret->ip == ip)
				return cpe_fresh(ret, now, age);
		}
	} while (next_place(l, r, &p));
	return false;
}

static void put(struct cpe_slot *at, uint64_t mac_port, uint32_t ip, uint32_t seen)
{
	union {
		struct cpe_slot s;
		__m128i v;
	} u = {.s = {.mac_port = mac_port, .ip = ip, .seen = seen}};

	cpe_store(at, u.v);
}

// Makes the chain longer. False: there is nothing left for it.
static bool extend(struct user_live *l, struct place *p)
{
	uint32_t none = 0, number = __atomic_load_n(&l->free, __ATOMIC_RELAXED);

	if (p->count == 1 + USER_CHAIN)
		return false;
	do {
		if (number == l->end)
			return false;
	} while (!__atomic_compare_exchange_n(
		&l->free, &number, number + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED
	));
	// another core may have done the same: then this part is lost until the next reload
	if (!__atomic_compare_exchange_n(
		    p->chain, &none, number, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE
	    ))
		number = none;
	enter(l, p, number);
	return true;
}

bool cpe_learn_more(
	struct user_live *l,
	struct user_record *r,
	uint64_t mac_port,
	uint32_t ip,
	uint32_t now,
	uint32_t age
)
{
	struct place p = first_place(r);
	struct cpe_slot *oldest = NULL;
	uint32_t most = 0;

	do {
		for (unsigned i = 0; i < p.n; i++) {
			struct cpe_slot s = cpe_read(&p.cpe[i]);
			uint32_t old = s.ip == 0 ? UINT32_MAX : now - s.seen;

			if (s.ip == ip) {
				// a configured CPE is where it was configured
				if (s.seen != CPE_STATIC
				    && (s.mac_port != mac_port || s.seen != now))
					put(&p.cpe[i], mac_port, ip, now);
				return true;
			}
			// one that another core saw a moment later is not old
			if (s.seen != CPE_STATIC && (int32_t)old < 0 && s.ip != 0)
				old = 0;
			if ((s.ip == 0 || s.seen != CPE_STATIC) && (oldest == NULL || old > most)) {
				oldest = &p.cpe[i];
				most = old;
			}
		}
	} while (next_place(l, r, &p));
	if (most != UINT32_MAX) { // none is free
		if (extend(l, &p))
			oldest = &p.cpe[0];
		else if (oldest == NULL || (age != 0 && most <= age))
			return false;
	}
	put(oldest, mac_port, ip, now);
	return true;
}

enum cpe_learned cpe_learn_new(
	const struct user_table *t,
	struct user_live *l,
	struct user_record *r,
	uint64_t mac_port,
	uint32_t ip,
	uint32_t now
)
{
	for (unsigned i = 0; i < USER_OWN; i++) {
		if (ip == t->own[i])
			return CPE_CANNOT_BE;
	}
	return cpe_learn_more(l, r, mac_port, ip, now, t->age) ? CPE_LEARNED : CPE_TOO_MANY;
}

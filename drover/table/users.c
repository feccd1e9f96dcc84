// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The table of subscribers as a whole: made, replaced and changed while lcores read it.

#include "table/users_private.h"

#include "rcu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PERIODS 16 // of learning, in the time after which a CPE is forgotten
#define SHIFT_MOST 7

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
	if (t->live == NULL || live_fill(t->live, u, err) < 0) {
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
	age = age + (1u << shift) > age ? age + (1u << shift) : age;
	if (t->age == 0 || age < t->age)
		t->age = age;
	return age;
}

void user_table_own(struct user_table *t, uint32_t ip)
{
	unsigned i = 0;

	while (i < USER_OWN && t->own[i] != 0 && t->own[i] != ip)
		i++;
	if (i < USER_OWN && ip != 0)
		t->own[i] = ip;
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
		cpe_learn_more(m->to, m->into, s.mac_port, s.ip, s.seen, 0);
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

	if (l == NULL || live_fill(l, u, err) < 0) {
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
		r = l == NULL ? -err->code : live_fill(l, &all, err);
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
	r = live_put(t->live, user, err);
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
	live_clear(l, r);
	return 0;
}

size_t user_table_users(const struct user_table *t)
{
	return t->admin->n;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// CPEs of the table of subscribers from outside the data path: those that are configured, and a list.

#include "table/users_private.h"

#include <errno.h>
#include <string.h>

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
		cpe_learn_more(l, r, mac_port, ip, CPE_STATIC, 0);
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

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The layout of a live table of subscribers: how large its parts are, and where a subscriber goes.

#include "table/users_private.h"

#include <errno.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SPARE 1024	// subscribers that can be added without another place for all
#define SPARE_BLOCKS 16 // the same for S-VLANs
#define SPREAD 4	// records that may be there for each in use, before a hash is better
#define MORE_PART 8	// one part of a chain for so many subscribers
#define MORE_LEAST 4096

void live_free(struct user_live *l)
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

struct extent extent_of(const struct users *u)
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

struct user_live *live_make(const struct extent *e, int socket, struct err *err)
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
void live_clear(struct user_live *l, struct user_record *r)
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
int live_put(struct user_live *l, const struct user *u, struct err *err)
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
	live_clear(l, r);
	r->key = rte_cpu_to_be_32(u->gre_id);
	r->stag = rte_cpu_to_be_16(u->svlan);
	r->ctag = rte_cpu_to_be_16(u->cvlan);
	__atomic_store_n(&r->used, 1, __ATOMIC_RELEASE);
	entry = users_entry(l, tags);
	entry->known = 0;
	__atomic_store_n(&entry->number, number, __ATOMIC_RELEASE);
	return 0;
}

int live_fill(struct user_live *l, const struct users *u, struct err *err)
{
	for (size_t i = 0; i < u->n; i++) {
		if (live_put(l, &u->list[i], err) < 0)
			return -err->code;
	}
	return 0;
}

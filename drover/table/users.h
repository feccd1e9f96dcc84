// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Subscribers and the CPEs behind them, while packets flow.
//
// Upstream the two tags are an index (24 bits, as far as the highest S-VLAN in use) and give the number
// of the subscriber's record. Downstream the GRE key is an index: records lie in the order of keys.
// Only where the keys are so far apart that most records would be empty, a hash (rte_hash, some 50
// cycles more a packet) finds the record.
//
// A record is one cache line and has room for three CPEs, more follow in further records. A CPE is 16
// bytes, written and read as one, which x86 with AVX does in one piece: the upstream tasks learn, the
// downstream tasks look up, on other cores, without a lock. Nothing is ever swept: a CPE carries the
// time it was last seen, who looks it up compares, and who learns takes the place of the oldest.
#pragma once

#include "base/err.h"
#include "table/spec.h"

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_prefetch.h>
#include <rte_vect.h>
#include <stdbool.h>
#include <stdint.h>

#define USER_CPES 3    // in one record
#define USER_RECORDS 5 // of one subscriber at most: 15 CPEs

#define CPE_STATIC UINT32_MAX // in seen: configured, does not age
#define CPE_OUTPUT 0x8000     // in port: the number of an output, as configured; else of an ethdev

// Time in steps of 2^30 cycles, about half a second.
static __rte_always_inline uint32_t cpe_now(void)
{
	return (uint32_t)(rte_rdtsc() >> 30);
}

struct cpe_slot {
	uint64_t mac_port; // byte 0 to 5: MAC, as in a packet; the highest 16 bits: port
	uint32_t ip;	   // as in a packet; 0: the slot is free
	uint32_t seen;	   // cpe_now()
} __rte_aligned(16);

struct user_record {
	uint32_t key;	     // gre_id, as in a packet
	uint16_t stag, ctag; // tags, as in a packet
	uint32_t more;	     // number of the record that follows; 0: none
	uint32_t used;	     // 0: nobody has this gre_id
	struct cpe_slot cpe[USER_CPES];
} __rte_aligned(64);

// All that the data path needs; replaced as a whole.
struct user_live {
	uint32_t tags;		     // entries of by_tags
	uint32_t first, n;	     // gre_ids that have records, when by_key is NULL
	const uint32_t *by_tags;     // [svlan << 12 | cvlan]: number of the record, 0: none
	struct user_record *records; // number 0 is nobody's
	struct rte_hash *by_key;     // NULL: the record's number is gre_id - first + 1
	uint32_t more, more_end;     // records for further CPEs: the next free one; behind the last
};

struct user_table {
	struct user_live *live; // read by the lcores, once a burst
	struct user_admin *admin;
};

static __rte_always_inline struct user_live *users_live(const struct user_table *t)
{
	return __atomic_load_n(&t->live, __ATOMIC_ACQUIRE);
}

// The number of the record for svlan << 12 | cvlan; 0: no such subscriber.
static __rte_always_inline uint32_t users_by_tags(const struct user_live *l, uint32_t tags)
{
	return likely(tags < l->tags) ? __atomic_load_n(&l->by_tags[tags], __ATOMIC_RELAXED) : 0;
}

static __rte_always_inline void users_prefetch(const struct user_live *l, uint32_t tags)
{
	rte_prefetch0(&l->by_tags[likely(tags < l->tags) ? tags : 0]);
}

// The same for a GRE key (host order); the record may be unused.
static __rte_always_inline uint32_t users_by_key(const struct user_live *l, uint32_t gre_id)
{
	uint32_t at = gre_id - l->first;
	int32_t found;

	if (likely(l->by_key == NULL))
		return likely(at < l->n) ? at + 1 : 0;
	found = rte_hash_lookup(l->by_key, &gre_id);
	return found >= 0 ? (uint32_t)found + 1 : 0;
}

static __rte_always_inline __m128i cpe_load(const struct cpe_slot *s)
{
	return *(const volatile __m128i *)s;
}

static __rte_always_inline void cpe_store(struct cpe_slot *s, __m128i v)
{
	*(volatile __m128i *)s = v;
}

static __rte_always_inline struct cpe_slot cpe_read(const struct cpe_slot *s)
{
	union {
		__m128i v;
		struct cpe_slot s;
	} u = {.v = cpe_load(s)};

	return u.s;
}

// Where the subscriber's CPE of that address (as in a packet) is, at `now`. False: unknown, or not
// seen for longer than `age`. *ret is a copy that holds together.
bool cpe_find_more(
	const struct user_live *l,
	const struct user_record *r,
	uint32_t ip,
	uint32_t now,
	uint32_t age,
	struct cpe_slot *ret
);

static __rte_always_inline bool cpe_fresh(const struct cpe_slot *s, uint32_t now, uint32_t age)
{
	return now - s->seen <= age || s->seen == CPE_STATIC || (int32_t)(s->seen - now) == 1;
}

static __rte_always_inline bool cpe_find(
	const struct user_live *l,
	const struct user_record *r,
	uint32_t ip,
	uint32_t now,
	uint32_t age,
	struct cpe_slot *ret
)
{
	*ret = cpe_read(&r->cpe[0]);
	if (likely(ret->ip == ip && ip != 0))
		return cpe_fresh(ret, now, age);
	return cpe_find_more(l, r, ip, now, age, ret);
}

// The subscriber's CPE was seen: what is new is written down. False: no machine can have that address
// (0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/3) or that MAC (of a group, zero), nothing was learned.
bool cpe_learn_more(
	struct user_live *l, struct user_record *r, uint64_t mac_port, uint32_t ip, uint32_t now
);

static __rte_always_inline bool cpe_learn(
	struct user_live *l, struct user_record *r, uint64_t mac_port, uint32_t ip, uint32_t now
)
{
	const struct cpe_slot s = cpe_read(&r->cpe[0]);

	// two times out of three it is there as it should be; a free slot has ip 0 and no MAC
	if (likely(s.ip == ip && s.mac_port == mac_port && s.seen == now))
		return true;
	return cpe_learn_more(l, r, mac_port, ip, now);
}

// What cpe_learn wants: MAC at `mac` (8 bytes are read) and the port.
static __rte_always_inline uint64_t cpe_mac_port(const void *mac, uint16_t port)
{
	uint64_t v;

	__builtin_memcpy(&v, mac, sizeof(v));
	return (v & UINT64_C(0xffffffffffff)) | (uint64_t)port << 48;
}

// ---- control thread

int user_table_make(
	const char *name,
	const struct users *u,
	int socket,
	struct user_table **ret,
	struct err *err
);
void user_table_free(struct user_table *t);

// While packets flow. A failure leaves everything as it was.

// The subscribers are those of u, and no others. CPEs of those that stay, with the same tags, are kept.
int user_table_reload(struct user_table *t, const struct users *u, struct err *err);
// EEXIST: the tags or the gre_id are another's.
int user_table_add(struct user_table *t, const struct user *user, struct err *err);
int user_table_del(struct user_table *t, uint32_t gre_id, struct err *err);
// CPEs that do not age. ENOENT: no such subscriber; E2BIG: it has USER_CPES * USER_RECORDS of them.
int user_table_add_cpes(struct user_table *t, const struct cpes *c, struct err *err);

size_t user_table_users(const struct user_table *t);

// Calls for each CPE that is not older than age, at most max of them, in the order of gre_ids.
struct cpe_seen {
	uint32_t gre_id, ip; // host order
	uint16_t svlan, cvlan, port;
	bool is_static;
	uint32_t age; // steps of cpe_now
	uint8_t mac[6];
};
size_t user_table_cpes(
	const struct user_table *t,
	uint32_t age,
	size_t max,
	void (*each)(void *arg, const struct cpe_seen *cpe),
	void *arg
);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Subscribers and the CPEs behind them, while packets flow.
//
// Upstream the two tags are an index (a block for each S-VLAN in use) and give the number of the
// subscriber. Downstream the GRE key is an index: numbers are in the order of keys. Only where
// the keys are so far apart that most numbers would be nobody's, a hash (rte_hash, some 50 cycles more a
// packet) finds the number.
//
// A packet costs one line of memory that may be far away. Upstream it is the one of the tags' entry:
// the GRE key follows from the number, and beside the number is a mark of what was learned last, so a
// packet that says nothing new does not look at the CPEs. Downstream it is that of the record, 32 bytes
// with the tags and the first CPE; further CPEs are elsewhere.
//
// A CPE is 16 bytes, written and read as one, which x86 with AVX does in one piece: the upstream tasks
// learn, the downstream tasks look up, on other cores, without a lock. Nothing is ever swept: a CPE
// carries the time it was last seen, who looks it up compares, and who learns takes the place of the
// oldest. The time is written once in a period only (a sixteenth of the time after which a CPE is
// forgotten), so that cores do not take lines from each other.
#pragma once

#include "base/err.h"
#include "table/prefetch.h"
#include "table/spec.h"

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_vect.h>
#include <stdbool.h>
#include <stdint.h>

// CPEs of a subscriber: in the record, beside it, and in each of a chain that is as long as need be
#define USER_SECOND 2
#define USER_MORE 3
#define USER_CHAIN 4
#define USER_CPES (1 + USER_SECOND + USER_MORE * USER_CHAIN) // 15 at most

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

// What two tags stand for.
struct user_entry {
	uint32_t number; // of the subscriber; 0: none
	uint32_t known;	 // cpe_mark of what was learned last; 0: nothing
};

struct user_record {
	struct cpe_slot cpe; // the first
	uint32_t key;	     // gre_id, as in a packet
	uint16_t stag, ctag; // tags, as in a packet
	uint32_t more;	     // the first of the chain; 0: none
	uint32_t used;	     // 0: nobody has this gre_id
} __rte_aligned(32);

struct user_second {
	struct cpe_slot cpe[USER_SECOND];
};

struct user_more {
	struct cpe_slot cpe[USER_MORE];
	uint32_t next; // 0: none
} __rte_aligned(64);

// All that the data path needs; replaced as a whole.
struct user_live {
	struct user_entry *by_tags;  // [block << 12 | cvlan]
	uint32_t first, n;	     // gre_ids that have numbers, when by_key is NULL
	struct user_record *records; // number 0 is nobody's
	struct user_second *second;  // by the same number
	struct user_more *more;	     // from 1
	struct rte_hash *by_key;     // NULL: the number is gre_id - first + 1
	uint32_t free, end;	     // of more: the next that is free; behind the last
	uint64_t secret[2];	     // of cpe_mark
	uint16_t blocks, blocks_end; // of by_tags: the next that is free; behind the last
	uint16_t block[SPEC_VLANS];  // of an S-VLAN; 0 is empty
};

#define USER_OWN 4

struct user_table {
	struct user_live *live; // read by the lcores, once a burst
	uint32_t age; // after which a CPE gives way; 0: the oldest does, when there are too many
	uint32_t own[USER_OWN]; // addresses of the router, as in a packet: no CPE's
	unsigned shift;		// a period of learning has 2^shift steps of cpe_now
	struct user_admin *admin;
};

static __rte_always_inline struct user_live *users_live(const struct user_table *t)
{
	return __atomic_load_n(&t->live, __ATOMIC_ACQUIRE);
}

// The entry of svlan << 12 | cvlan, below 2^24; of tags that nobody has one whose number is 0.
static __rte_always_inline struct user_entry *users_entry(const struct user_live *l, uint32_t tags)
{
	uint32_t block = __atomic_load_n(&l->block[tags >> 12], __ATOMIC_RELAXED);

	return &l->by_tags[block << 12 | (tags & 4095)];
}

// Its number, 0: no such subscriber.
static __rte_always_inline uint32_t users_by_tags(const struct user_live *l, uint32_t tags)
{
	return __atomic_load_n(&users_entry(l, tags)->number, __ATOMIC_RELAXED);
}

// The GRE key of a number, as in a packet.
static __rte_always_inline uint32_t users_key(const struct user_live *l, uint32_t number)
{
	if (likely(l->by_key == NULL))
		return rte_cpu_to_be_32(l->first + number - 1);
	return l->records[number].key;
}

// The number for a GRE key (host order), 0: none; the record may be unused.
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
	*ret = cpe_read(&r->cpe);
	if (likely(ret->ip == ip && ip != 0))
		return cpe_fresh(ret, now, age);
	return cpe_find_more(l, r, ip, now, age, ret);
}

// False: no machine can have that address (0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/3) or that MAC (of a
// group, zero).
static __rte_always_inline bool cpe_may_be(uint64_t mac_port, uint32_t ip)
{
	uint32_t net = rte_be_to_cpu_32(ip) >> 24;

	return net - 1 < 223 && net != 127 && (mac_port & 1) == 0 && (mac_port << 16) != 0;
}

// Differs from the mark of any other CPE or period but for one in 2^31, whom nobody can choose.
static __rte_always_inline uint32_t
cpe_mark(const struct user_live *l, uint64_t mac_port, uint32_t ip, uint32_t period)
{
	unsigned __int128 v = (unsigned __int128)(mac_port ^ l->secret[0])
			      * (((uint64_t)period << 32 | ip) ^ l->secret[1]);

	return (uint32_t)((uint64_t)(v >> 64) ^ (uint64_t)v) | 1;
}

// Each place for a CPE that the subscriber has, used or not.
void cpe_each(
	const struct user_live *l,
	const struct user_record *r,
	void (*each)(void *arg, struct cpe_slot *s),
	void *arg
);

// When packets are learned from. Tasks look at the clock now and then.
struct cpe_clock {
	uint32_t now;	 // cpe_now()
	uint32_t period; // now >> shift
};

enum cpe_learned {
	CPE_LEARNED = 0,
	CPE_CANNOT_BE, // cpe_may_be says no, or the address is the router's own
	CPE_TOO_MANY,  // the subscriber has USER_CPES of them, all seen lately
};

static __rte_always_inline struct cpe_clock cpe_clock(const struct user_table *t)
{
	uint32_t now = cpe_now();

	return (struct cpe_clock){now, now >> t->shift};
}

// Writes down what is new. False: all places are taken by CPEs that were seen in the last `age` steps (0: the
// oldest gives way). For cpe_learn, and for what is configured.
bool cpe_learn_more(
	struct user_live *l,
	struct user_record *r,
	uint64_t mac_port,
	uint32_t ip,
	uint32_t now,
	uint32_t age
);

// The same for a CPE of a packet, which is not to be the router itself.
enum cpe_learned cpe_learn_new(
	const struct user_table *t,
	struct user_live *l,
	struct user_record *r,
	uint64_t mac_port,
	uint32_t ip,
	uint32_t now
);

// A CPE of the subscriber with that entry and number (not 0) was seen. l: users_live(t).
static __rte_always_inline enum cpe_learned cpe_learn(
	const struct user_table *t,
	struct user_live *l,
	struct user_entry *e,
	uint32_t number,
	uint64_t mac_port,
	uint32_t ip,
	struct cpe_clock clock
)
{
	const uint32_t mark = cpe_mark(l, mac_port, ip, clock.period);

	if (unlikely(!cpe_may_be(mac_port, ip)))
		return CPE_CANNOT_BE;
	if (unlikely(__atomic_load_n(&e->known, __ATOMIC_RELAXED) != mark)) {
		enum cpe_learned r =
			cpe_learn_new(t, l, &l->records[number], mac_port, ip, clock.now);

		if (r != CPE_LEARNED)
			return r;
		__atomic_store_n(&e->known, mark, __ATOMIC_RELAXED);
	}
	return CPE_LEARNED;
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
// A task forgets CPEs that were not seen for `age` steps of cpe_now. Returns what is to be given to
// cpe_find: a little more, for the time of a CPE may be that of the period's beginning.
uint32_t user_table_age(struct user_table *t, uint32_t age);
// No CPE is to have that address (as in a packet; 0: none). Before packets flow.
void user_table_own(struct user_table *t, uint32_t ip);

// While packets flow. A failure leaves everything as it was.

// The subscribers are those of u, and no others. CPEs of those that stay, with the same tags, are kept.
int user_table_reload(struct user_table *t, const struct users *u, struct err *err);
// EEXIST: the tags or the gre_id are another's.
int user_table_add(struct user_table *t, const struct user *user, struct err *err);
int user_table_del(struct user_table *t, uint32_t gre_id, struct err *err);
// CPEs that do not age. ENOENT: no such subscriber; E2BIG: it has USER_CPES of them.
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

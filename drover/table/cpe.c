// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// CPEs of a subscriber: all but the ordinary case, which is inline.

#include "table/users.h"

bool cpe_find_more(
	const struct user_live *l,
	const struct user_record *r,
	uint32_t ip,
	uint32_t now,
	uint32_t age,
	struct cpe_slot *ret
)
{
	if (ip == 0)
		return false;
	for (unsigned k = 0; k < USER_RECORDS; k++) {
		uint32_t more;

		for (unsigned i = 0; i < USER_CPES; i++) {
			*ret = cpe_read(&r->cpe[i]);
			if (ret->ip == ip)
				return cpe_fresh(ret, now, age);
		}
		more = __atomic_load_n(&r->more, __ATOMIC_ACQUIRE);
		if (more == 0)
			break;
		r = &l->records[more];
	}
	return false;
}

static bool may_be_learned(uint64_t mac_port, uint32_t ip)
{
	uint32_t host = rte_be_to_cpu_32(ip), net = host >> 24;

	return net != 0 && net != 127 && net < 224 && (mac_port & 1) == 0 && (mac_port << 16) != 0;
}

static void put(struct cpe_slot *at, uint64_t mac_port, uint32_t ip, uint32_t seen)
{
	union {
		struct cpe_slot s;
		__m128i v;
	} u = {.s = {.mac_port = mac_port, .ip = ip, .seen = seen}};

	cpe_store(at, u.v);
}

// Another record behind r. NULL: there is none left.
static struct user_record *extend(struct user_live *l, struct user_record *r)
{
	uint32_t none = 0, more = __atomic_load_n(&l->more, __ATOMIC_RELAXED);

	do {
		if (more == l->more_end)
			return NULL;
	} while (!__atomic_compare_exchange_n(
		&l->more, &more, more + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED
	));
	// another core may have done the same: then this record is lost until the next reload
	if (!__atomic_compare_exchange_n(
		    &r->more, &none, more, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE
	    ))
		more = none;
	return &l->records[more];
}

bool cpe_learn_more(
	struct user_live *l, struct user_record *r, uint64_t mac_port, uint32_t ip, uint32_t now
)
{
	struct cpe_slot *oldest = NULL;
	uint32_t most = 0;

	if (!may_be_learned(mac_port, ip))
		return false;
	for (unsigned k = 1;; k++) {
		uint32_t more;

		for (unsigned i = 0; i < USER_CPES; i++) {
			struct cpe_slot s = cpe_read(&r->cpe[i]);
			uint32_t age = s.ip == 0 ? UINT32_MAX : now - s.seen;

			if (s.ip == ip) {
				// a configured CPE is where it was configured
				if (s.seen != CPE_STATIC
				    && (s.mac_port != mac_port || s.seen != now))
					put(&r->cpe[i], mac_port, ip, now);
				return true;
			}
			// one that another core saw a moment later is not old
			if (s.seen != CPE_STATIC && (int32_t)age < 0 && s.ip != 0)
				age = 0;
			if ((s.ip == 0 || s.seen != CPE_STATIC) && (oldest == NULL || age > most)) {
				oldest = &r->cpe[i];
				most = age;
			}
		}
		more = __atomic_load_n(&r->more, __ATOMIC_ACQUIRE);
		if (more != 0) {
			r = &l->records[more];
			continue;
		}
		if (most != UINT32_MAX && k < USER_RECORDS) {
			struct user_record *next = extend(l, r);

			if (next != NULL) {
				put(&next->cpe[0], mac_port, ip, now);
				return true;
			}
		}
		break;
	}
	if (oldest != NULL)
		put(oldest, mac_port, ip, now);
	return true;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "table/fib.h"

#include "base/scope.h"

#include <errno.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY2_MAX (FIB_GROUP2 - 1) // hops and groups of 2-byte entries
#define SPARE_ROUTES 1024
#define SPARE_GROUPS 256
#define NO_GROUP UINT32_MAX

// A prefix as one number that sorts: address, and of one address the shorter first.
struct item {
	uint64_t key;
	uint32_t hop;
};

struct fib_admin {
	struct item *list; // sorted, each key once
	size_t n, room;
	uint32_t groups, made; // there are; were ever in use
	uint32_t *idle;	       // groups that were in use: free, then those until fib_settle
	uint32_t nfree, nidle;
	uint32_t hops;
};

static uint64_t key_of(uint32_t ip, unsigned depth)
{
	return (uint64_t)ip << 6 | depth;
}

static uint32_t key_ip(uint64_t key)
{
	return (uint32_t)(key >> 6);
}

static unsigned key_depth(uint64_t key)
{
	return key & 63;
}

// Behind the last address of the prefix.
static uint64_t key_end(uint64_t key)
{
	return key_ip(key) + (UINT64_C(1) << (32 - key_depth(key)));
}

// ---- entries

static uint32_t get(const struct fib *f, size_t at)
{
	return f->wide ? ((const uint32_t *)f->entries)[at] : ((const uint16_t *)f->entries)[at];
}

static void set(struct fib *f, size_t at, uint32_t v)
{
	if (f->wide)
		__atomic_store_n(&((uint32_t *)f->entries)[at], v, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&((uint16_t *)f->entries)[at], (uint16_t)v, __ATOMIC_RELEASE);
}

static uint32_t group_bit(const struct fib *f)
{
	return f->wide ? FIB_GROUP4 : FIB_GROUP2;
}

// Where the group of the /24 begins, 0: it has none.
static size_t group_at(const struct fib *f, uint32_t slot)
{
	uint32_t v = get(f, slot);

	return (v & group_bit(f)) != 0 ? FIB_SLOTS + ((size_t)(v & ~group_bit(f)) << 8) : 0;
}

static uint32_t take_group(struct fib_admin *a)
{
	if (a->nfree > 0) {
		// those that wait stay behind the free ones
		uint32_t g = a->idle[--a->nfree];

		a->idle[a->nfree] = a->idle[--a->nidle];
		return g;
	}
	return a->made < a->groups ? a->made++ : NO_GROUP;
}

// The /24 gets a group that says what its entry said. False: there is none left.
static bool make_group(struct fib *f, uint32_t slot)
{
	uint32_t g = take_group(f->admin), v = get(f, slot);

	if (g == NO_GROUP)
		return false;
	for (size_t i = 0; i < 256; i++)
		set(f, FIB_SLOTS + ((size_t)g << 8) + i, v);
	set(f, slot, g | group_bit(f));
	return true;
}

// Addresses from `at` until before `end` lead to that hop. Where that is part of a /24 it has a group.
static void paint(struct fib *f, uint64_t at, uint64_t end, uint32_t hop)
{
	while (at < end) {
		uint32_t slot = (uint32_t)(at >> 8);
		uint64_t stop = (at | 255) + 1;
		size_t group = group_at(f, slot);

		if (group == 0)
			set(f, slot, hop);
		else
			for (uint64_t i = at; i < stop && i < end; i++)
				set(f, group + (i & 255), hop);
		at = stop;
	}
}

// ---- the list

// The first item that is not before the key.
static size_t find(const struct fib_admin *a, uint64_t key)
{
	size_t low = 0, high = a->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (a->list[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_at(const struct fib_admin *a, size_t at, uint64_t key)
{
	return at < a->n && a->list[at].key == key;
}

// What of the prefix no longer one covers leads to that hop. `next`: the item behind it.
static void paint_gaps(struct fib *f, uint64_t key, size_t next, uint32_t hop)
{
	const struct fib_admin *a = f->admin;
	uint64_t at = key_ip(key), end = key_end(key);

	for (size_t i = next; i < a->n && key_ip(a->list[i].key) < end; i++) {
		paint(f, at, key_ip(a->list[i].key), hop);
		if (key_end(a->list[i].key) > at)
			at = key_end(a->list[i].key);
	}
	paint(f, at, end, hop);
}

// The hop of the longest prefix that contains this one and is shorter.
static uint32_t hop_above(const struct fib_admin *a, uint64_t key)
{
	for (unsigned d = key_depth(key); d-- > 0;) {
		uint32_t mask = d > 0 ? UINT32_MAX << (32 - d) : 0;
		uint64_t above = key_of(key_ip(key) & mask, d);
		size_t at = find(a, above);

		if (is_at(a, at, above))
			return a->list[at].hop;
	}
	return 0;
}

// Is there a prefix longer than /24 in the /24?
static bool wants_group(const struct fib_admin *a, uint32_t slot)
{
	for (size_t i = find(a, key_of(slot << 8, 0));
	     i < a->n && key_ip(a->list[i].key) >> 8 == slot;
	     i++) {
		if (key_depth(a->list[i].key) > 24)
			return true;
	}
	return false;
}

bool fib_has(const struct fib *f, uint32_t ip, uint8_t depth)
{
	return is_at(f->admin, find(f->admin, key_of(ip, depth)), key_of(ip, depth));
}

size_t fib_routes(const struct fib *f)
{
	return f->admin->n;
}

int fib_add(struct fib *f, uint32_t ip, uint8_t depth, uint32_t hop, struct err *err)
{
	struct fib_admin *a = f->admin;
	uint64_t key = key_of(ip, depth);
	size_t at = find(a, key);

	if (hop > a->hops)
		return err_set(err, EINVAL, "hop %u of %u", hop, a->hops);
	if (!is_at(a, at, key)) {
		if (a->n == a->room) {
			size_t room = a->room + a->room / 4 + SPARE_ROUTES;
			struct item *list = realloc(a->list, room * sizeof(*list));

			if (list == NULL)
				return err_oom(err);
			a->list = list;
			a->room = room;
		}
		if (depth > 24 && group_at(f, ip >> 8) == 0 && !make_group(f, ip >> 8))
			return err_set(err, ENOSPC, "no room for a prefix of %u bits", depth);
		memmove(&a->list[at + 1], &a->list[at], (a->n - at) * sizeof(*a->list));
		a->list[at].key = key;
		a->n++;
	}
	a->list[at].hop = hop;
	paint_gaps(f, key, at + 1, hop);
	return 0;
}

void fib_del(struct fib *f, uint32_t ip, uint8_t depth)
{
	struct fib_admin *a = f->admin;
	uint64_t key = key_of(ip, depth);
	size_t at = find(a, key), group;

	if (!is_at(a, at, key))
		return;
	a->n--;
	memmove(&a->list[at], &a->list[at + 1], (a->n - at) * sizeof(*a->list));
	paint_gaps(f, key, at, hop_above(a, key));
	if (depth <= 24 || wants_group(a, ip >> 8))
		return;
	group = group_at(f, ip >> 8);
	set(f, ip >> 8, get(f, group));
	a->idle[a->nidle++] = (uint32_t)((group - FIB_SLOTS) >> 8);
}

void fib_settle(struct fib *f)
{
	f->admin->nfree = f->admin->nidle;
}

void fib_free(struct fib *f)
{
	if (f == NULL)
		return;
	if (f->admin != NULL) {
		free(f->admin->list);
		free(f->admin->idle);
	}
	free(f->admin);
	rte_free(f->entries);
	free(f);
}

// ---- making one

static uint32_t count_groups(const struct fib_admin *a)
{
	uint32_t groups = 0, last = 0;

	for (size_t i = 0; i < a->n; i++) {
		uint32_t slot = key_ip(a->list[i].key) >> 8;

		if (key_depth(a->list[i].key) > 24 && (groups == 0 || slot != last)) {
			groups++;
			last = slot;
		}
	}
	return groups;
}

// From a sorted list, which is the table's from here on: in its order each prefix is painted over what
// contains it.
static int build(
	struct item *list, size_t n, uint32_t hops, int socket, struct fib **ret, struct err *err
)
{
	struct fib *f = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_CACHE_LINE_SIZE);
	struct fib_admin *a = calloc(1, sizeof(*a));

	if (f == NULL || a == NULL) {
		free(a);
		free(f);
		free(list);
		return err_oom(err);
	}
	*f = (struct fib){.admin = a};
	*a = (struct fib_admin){.list = list, .n = n, .room = n, .hops = hops};
	a->groups = count_groups(a);
	a->groups += a->groups / 8 + SPARE_GROUPS;
	f->wide = hops > ENTRY2_MAX || a->groups > ENTRY2_MAX;
	a->idle = calloc(a->groups, sizeof(*a->idle));
	f->entries = rte_zmalloc_socket(
		"routes",
		(FIB_SLOTS + ((size_t)a->groups << 8)) * (f->wide ? 4 : 2),
		RTE_CACHE_LINE_SIZE,
		socket
	);
	if (a->idle == NULL || f->entries == NULL) {
		fib_free(f);
		return err_set(err, ENOMEM, "make a table of %zu routes: grant more hugepages", n);
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t key = list[i].key;

		// there are as many groups as that
		if (key_depth(key) > 24 && group_at(f, key_ip(key) >> 8) == 0)
			make_group(f, key_ip(key) >> 8);
		paint(f, key_ip(key), key_end(key), list[i].hop);
	}
	*ret = f;
	return 0;
}

// Least significant digit first, 11 bits each of the 38. Stable: of two routes with one prefix the
// later stays behind.
static int sort(struct item *list, size_t n, struct err *err)
{
	_cleanup_free_ struct item *other = malloc((n + 1) * sizeof(*other));
	struct item *from = list, *to = other;

	if (other == NULL)
		return err_oom(err);
	for (unsigned shift = 0; shift < 44; shift += 11) {
		size_t place[2048] = {0}, sum = 0;
		struct item *swap = from;

		for (size_t i = 0; i < n; i++)
			place[from[i].key >> shift & 2047]++;
		for (unsigned d = 0; d < 2048; d++) {
			size_t count = place[d];

			place[d] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			to[place[from[i].key >> shift & 2047]++] = from[i];
		from = to;
		to = swap;
	}
	return 0; // after four passes it is in list again
}

int fib_make(
	const struct routes *r,
	const uint32_t *number,
	uint32_t hops,
	int socket,
	struct fib **ret,
	struct err *err
)
{
	_cleanup_free_ struct item *list = malloc((r->nroutes + 1) * sizeof(*list));
	bool sorted = true;
	size_t n = 0;

	if (list == NULL)
		return err_oom(err);
	for (size_t i = 0; i < r->nroutes; i++) {
		const struct route *at = &r->routes[i];

		list[i] = (struct item){key_of(at->ip, at->depth), number[at->hop]};
		sorted = sorted && (i == 0 || list[i - 1].key <= list[i].key);
	}
	if (!sorted && sort(list, r->nroutes, err) < 0)
		return -err->code;
	for (size_t i = 0; i < r->nroutes; i++) {
		if (i + 1 == r->nroutes || list[i + 1].key != list[i].key)
			list[n++] = list[i];
	}
	return build(steal_ptr(list), n, hops, socket, ret, err);
}

int fib_copy(const struct fib *from, int socket, struct fib **ret, struct err *err)
{
	const struct fib_admin *a = from->admin;
	struct item *list = malloc((a->n + 1) * sizeof(*list));

	if (list == NULL)
		return err_oom(err);
	memcpy(list, a->list, a->n * sizeof(*list));
	return build(list, a->n, a->hops, socket, ret, err);
}

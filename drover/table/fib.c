// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// DIR24_8: a table of 2^24 entries, and groups of 256 for what is longer than /24. An entry has 2
// bytes as long as 15 bits are enough for the hops and for the groups, which is what the caches like.

#include "table/fib.h"

#include "base/scope.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_rib.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRY2_MAX ((1u << 15) - 1) // next hops and groups of 2-byte entries
#define SPARE_ROUTES 1024
#define SPARE_GROUPS 256

// A route as one number that sorts: address, depth.
struct order {
	uint64_t key;
	uint32_t at; // in r->routes
};

// Least significant digit first, 11 bits each of the 38. Stable: of two routes with one prefix the
// later stays behind.
static int sort(struct order *list, size_t n, struct err *err)
{
	_cleanup_free_ struct order *other = malloc((n + 1) * sizeof(*other));
	struct order *from = list, *to = other;

	if (other == NULL)
		return err_oom(err);
	for (unsigned shift = 0; shift < 44; shift += 11) {
		size_t place[2048] = {0}, sum = 0;
		struct order *swap = from;

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

static int create(
	size_t routes,
	size_t groups,
	uint32_t hops,
	int socket,
	struct rte_fib **ret,
	struct err *err
)
{
	static unsigned serial; // names are looked up by nobody, but must differ
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = (int)(routes + routes / 16 + SPARE_ROUTES),
	};
	char name[32];

	groups += groups / 8 + SPARE_GROUPS;
	conf.dir24_8.nh_sz = hops <= ENTRY2_MAX && groups <= ENTRY2_MAX ? RTE_FIB_DIR24_8_2B
									: RTE_FIB_DIR24_8_4B;
	conf.dir24_8.num_tbl8 = (uint32_t)groups;
	snprintf(name, sizeof(name), "routes%u", serial++);
	*ret = rte_fib_create(name, socket, &conf);
	if (*ret == NULL)
		return err_set(
			err,
			rte_errno,
			"make a table of %zu routes: %s; grant more hugepages",
			routes,
			rte_strerror(rte_errno)
		);
	return 0;
}

// In order of address, and of one address the shorter prefix first: each route then goes to where the
// last one went, and none has to be written around longer ones.
int fib_make(
	const struct routes *r,
	const uint32_t *number,
	uint32_t hops,
	int socket,
	struct rte_fib **ret,
	size_t *ret_routes,
	struct err *err
)
{
	_cleanup_free_ struct order *list = malloc((r->nroutes + 1) * sizeof(*list));
	size_t groups = 0, n = 0;
	uint32_t last = 0;
	struct rte_fib *fib;
	bool sorted = true;

	if (list == NULL)
		return err_oom(err);
	for (size_t i = 0; i < r->nroutes; i++) {
		const struct route *at = &r->routes[i];

		list[i] = (struct order){(uint64_t)at->ip << 6 | at->depth, (uint32_t)i};
		sorted = sorted && (i == 0 || list[i - 1].key <= list[i].key);
	}
	if (!sorted && sort(list, r->nroutes, err) < 0)
		return -err->code;
	for (size_t i = 0; i < r->nroutes; i++) {
		const struct route *at = &r->routes[list[i].at];

		if (at->depth > 24 && (groups == 0 || at->ip >> 8 != last)) {
			groups++;
			last = at->ip >> 8;
		}
	}
	if (create(r->nroutes, groups, hops, socket, &fib, err) < 0)
		return -err->code;
	for (size_t i = 0; i < r->nroutes; i++) {
		const struct route *at = &r->routes[list[i].at];
		int res;

		if (i + 1 < r->nroutes && list[i + 1].key == list[i].key)
			continue;
		res = rte_fib_add(fib, at->ip, at->depth, number[at->hop]);
		if (res < 0) {
			rte_fib_free(fib);
			return err_sys(err, -res, "add route %zu of %zu", i + 1, r->nroutes);
		}
		n++;
	}
	*ret = fib;
	*ret_routes = n;
	return 0;
}

// All of a RIB but 0.0.0.0/0, which contains the others.
static struct rte_rib_node *next_node(struct rte_rib *rib, struct rte_rib_node *last)
{
	return rte_rib_get_nxt(rib, 0, 0, last, RTE_RIB_GET_NXT_ALL);
}

static int copy_node(struct rte_fib *to, const struct rte_rib_node *node)
{
	uint64_t hop;
	uint32_t ip;
	uint8_t depth;

	rte_rib_get_ip(node, &ip);
	rte_rib_get_depth(node, &depth);
	rte_rib_get_nh(node, &hop);
	return rte_fib_add(to, ip, depth, hop);
}

int fib_copy(
	struct rte_fib *from,
	size_t nroutes,
	uint32_t hops,
	int socket,
	struct rte_fib **ret,
	struct err *err
)
{
	struct rte_rib *rib = rte_fib_get_rib(from);
	struct rte_rib_node *node = NULL, *zero = rte_rib_lookup_exact(rib, 0, 0);
	size_t groups = 0;
	uint32_t last = 0;
	struct rte_fib *fib;
	int res = 0;

	while ((node = next_node(rib, node)) != NULL) {
		uint32_t ip;
		uint8_t depth;

		rte_rib_get_ip(node, &ip);
		rte_rib_get_depth(node, &depth);
		if (depth > 24 && (groups == 0 || ip >> 8 != last)) {
			groups++;
			last = ip >> 8;
		}
	}
	if (create(nroutes + 1, groups, hops, socket, &fib, err) < 0)
		return -err->code;
	if (zero != NULL)
		res = copy_node(fib, zero);
	while (res == 0 && (node = next_node(rib, node)) != NULL) {
		if (node != zero)
			res = copy_node(fib, node);
	}
	if (res < 0) {
		rte_fib_free(fib);
		return err_sys(err, -res, "copy a table of %zu routes", nroutes);
	}
	*ret = fib;
	return 0;
}

bool fib_has(struct rte_fib *fib, uint32_t ip, uint8_t depth)
{
	return rte_rib_lookup_exact(rte_fib_get_rib(fib), ip, depth) != NULL;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a table is to hold, as a configuration or a file says it: checked, and in numbers. No DPDK call
// is made here. The tables that the data path looks into are made from it: route.h, users.h.
//
// Addresses and labels are in host order. A failed call changes nothing, and its message names the
// entry but neither file nor line, which the caller knows.
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SPEC_NAME 128		// a path, too
#define SPEC_ENTRIES (1u << 24) // of one kind in one table
#define SPEC_HOPS (1u << 16)
#define SPEC_HOP_PORTS 16 // outputs of a task
#define SPEC_VLANS 4096
#define SPEC_LABELS (1u << 20)

// Where a route leads: an output of the task and what is written in front of the packet.
struct hop {
	uint32_t id;	// as routes name it; below SPEC_HOPS
	uint32_t ip;	// far end of the tunnel; 0: none, for plain routing
	uint32_t mpls;	// label below SPEC_LABELS
	uint16_t port;	// which of the task's outputs, from 0
	uint8_t mac[6]; // of the next machine; not a group's
};

struct route {
	uint32_t ip;   // without bits behind the prefix
	uint32_t hop;  // id
	uint8_t depth; // 0 to 32
};

// Both in the order in which they were added; of two routes with one prefix the later counts.
struct routes {
	size_t nhops, nroutes;
	struct hop *hops;
	struct route *routes;
	size_t room_hops, room_routes;	// allocated
	uint64_t known[SPEC_HOPS / 64]; // ids of hops
};

// A subscriber: two tags on the access side, one key on the core side.
struct user {
	uint16_t svlan, cvlan; // below SPEC_VLANS
	uint32_t gre_id;
};

struct users {
	size_t n, room;
	struct user *list;
};

// A CPE that is known from the start and does not age: a machine of subscriber gre_id.
struct cpe {
	uint32_t gre_id, ip;
	uint16_t port; // which of the outputs on the access side, from 0
	uint8_t mac[6];
};

struct cpes {
	size_t n, room;
	struct cpe *list;
};

// All zero is an empty table; release with the *_free below, which leaves it empty again.

// The id must be new. EEXIST, EINVAL (what is wrong with it), E2BIG.
int routes_add_hop(struct routes *r, const struct hop *hop, struct err *err);
// The hop may be added before or after; routes_check finds what is missing. EINVAL, E2BIG.
int routes_add(struct routes *r, const struct route *route, struct err *err);
// Every route leads to a hop that is there. ENOENT.
int routes_check(const struct routes *r, struct err *err);
void routes_free(struct routes *r);

// That no pair of tags and no gre_id is there twice is found when the table is made. EINVAL, E2BIG.
int users_add(struct users *u, const struct user *user, struct err *err);
void users_free(struct users *u);

int cpes_add(struct cpes *c, const struct cpe *cpe, struct err *err);
void cpes_free(struct cpes *c);

// ---- tables by name: what a configuration defines and tasks name in "route table=" and so on

struct spec {
	char name[SPEC_NAME];
	struct routes *routes; // NULL: has none of this kind
	struct users *users;
	struct cpes *cpes;
	struct spec *next;
};

struct specs {
	struct spec *first;
};

// The table of that name, new and empty if there is none such. EINVAL: the name is too long or empty.
// The set owns it, and what the caller puts into its (calloc'ed) routes, users and cpes.
int specs_get(struct specs *s, const char *name, struct spec **ret, struct err *err);
const struct spec *specs_find(const struct specs *s, const char *name); // NULL: none
void specs_free(struct specs *s);

// Makes the part if it is missing; NULL: out of memory.
struct routes *spec_routes(struct spec *s);
struct users *spec_users(struct spec *s);
struct cpes *spec_cpes(struct spec *s);

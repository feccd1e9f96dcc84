// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "table/spec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Room for one more of n entries. The array doubles.
static void *grow(void *list, size_t n, size_t *room, size_t size, struct err *err)
{
	size_t want = *room == 0 ? 64 : *room * 2;
	void *more;

	if (n < *room)
		return list;
	if (n >= SPEC_ENTRIES) {
		err_set(err, E2BIG, "more than %u entries", SPEC_ENTRIES);
		return NULL;
	}
	more = realloc(list, want * size);
	if (more == NULL)
		err_oom(err);
	else
		*room = want;
	return more;
}

static bool known(const struct routes *r, uint32_t id)
{
	return id < SPEC_HOPS && (r->known[id / 64] >> (id % 64) & 1) != 0;
}

// A machine's own address: not a group's, not zero.
static bool unicast(const uint8_t *mac)
{
	static const uint8_t zero[6];

	return (mac[0] & 1) == 0 && memcmp(mac, zero, sizeof(zero)) != 0;
}

int routes_add_hop(struct routes *r, const struct hop *hop, struct err *err)
{
	struct hop *list;

	if (hop->id >= SPEC_HOPS)
		return err_set(err, EINVAL, "hop %u: ids are below %u", hop->id, SPEC_HOPS);
	if (known(r, hop->id))
		return err_set(err, EEXIST, "hop %u is there twice", hop->id);
	if (hop->mpls >= SPEC_LABELS)
		return err_set(
			err, EINVAL, "hop %u: label %u has more than 20 bits", hop->id, hop->mpls
		);
	if (hop->port >= SPEC_HOP_PORTS)
		return err_set(
			err,
			EINVAL,
			"hop %u: port %u: a task has at most %d outputs, from 0",
			hop->id,
			hop->port,
			SPEC_HOP_PORTS
		);
	if (!unicast(hop->mac))
		return err_set(err, EINVAL, "hop %u: its MAC is zero or that of a group", hop->id);
	list = grow(r->hops, r->nhops, &r->room_hops, sizeof(*list), err);
	if (list == NULL)
		return -err->code;
	r->hops = list;
	list[r->nhops++] = *hop;
	r->known[hop->id / 64] |= UINT64_C(1) << (hop->id % 64);
	return 0;
}

int routes_add(struct routes *r, const struct route *route, struct err *err)
{
	struct route *list;

	if (route->depth > 32)
		return err_set(err, EINVAL, "a prefix of %u bits: there are 0 to 32", route->depth);
	if (route->depth < 32 && (route->ip & (UINT32_MAX >> route->depth)) != 0)
		return err_set(
			err,
			EINVAL,
			"route %u.%u.%u.%u/%u has bits behind its prefix",
			route->ip >> 24,
			route->ip >> 16 & 255,
			route->ip >> 8 & 255,
			route->ip & 255,
			route->depth
		);
	if (route->hop >= SPEC_HOPS)
		return err_set(err, EINVAL, "hop %u: ids are below %u", route->hop, SPEC_HOPS);
	list = grow(r->routes, r->nroutes, &r->room_routes, sizeof(*list), err);
	if (list == NULL)
		return -err->code;
	r->routes = list;
	list[r->nroutes++] = *route;
	return 0;
}

int routes_check(const struct routes *r, struct err *err)
{
	for (size_t i = 0; i < r->nroutes; i++) {
		const struct route *at = &r->routes[i];

		if (!known(r, at->hop))
			return err_set(
				err,
				ENOENT,
				"route %u.%u.%u.%u/%u leads to hop %u, which is not there",
				at->ip >> 24,
				at->ip >> 16 & 255,
				at->ip >> 8 & 255,
				at->ip & 255,
				at->depth,
				at->hop
			);
	}
	return 0;
}

void routes_free(struct routes *r)
{
	if (r == NULL)
		return;
	free(r->hops);
	free(r->routes);
	*r = (struct routes){0};
}

int users_add(struct users *u, const struct user *user, struct err *err)
{
	struct user *list;

	if (user->svlan >= SPEC_VLANS || user->cvlan >= SPEC_VLANS)
		return err_set(
			err,
			EINVAL,
			"subscriber %u: tags %u and %u: both are below %d",
			user->gre_id,
			user->svlan,
			user->cvlan,
			SPEC_VLANS
		);
	list = grow(u->list, u->n, &u->room, sizeof(*list), err);
	if (list == NULL)
		return -err->code;
	u->list = list;
	list[u->n++] = *user;
	return 0;
}

void users_free(struct users *u)
{
	if (u == NULL)
		return;
	free(u->list);
	*u = (struct users){0};
}

int cpes_add(struct cpes *c, const struct cpe *cpe, struct err *err)
{
	struct cpe *list;

	if (cpe->port >= SPEC_HOP_PORTS)
		return err_set(
			err,
			EINVAL,
			"CPE of subscriber %u: port %u: a task has at most %d outputs, from 0",
			cpe->gre_id,
			cpe->port,
			SPEC_HOP_PORTS
		);
	if (cpe->ip == 0 || !unicast(cpe->mac))
		return err_set(
			err,
			EINVAL,
			"CPE of subscriber %u: its %s",
			cpe->gre_id,
			cpe->ip == 0 ? "address is 0.0.0.0" : "MAC is zero or that of a group"
		);
	list = grow(c->list, c->n, &c->room, sizeof(*list), err);
	if (list == NULL)
		return -err->code;
	c->list = list;
	list[c->n++] = *cpe;
	return 0;
}

void cpes_free(struct cpes *c)
{
	if (c == NULL)
		return;
	free(c->list);
	*c = (struct cpes){0};
}

const struct spec *specs_find(const struct specs *s, const char *name)
{
	for (const struct spec *i = s->first; i != NULL; i = i->next) {
		if (strcmp(i->name, name) == 0)
			return i;
	}
	return NULL;
}

int specs_get(struct specs *s, const char *name, struct spec **ret, struct err *err)
{
	struct spec *i = (struct spec *)specs_find(s, name);

	if (i == NULL) {
		if (*name == '\0' || strlen(name) >= SPEC_NAME)
			return err_set(
				err,
				EINVAL,
				"table '%.64s': a name has 1 to %d characters",
				name,
				SPEC_NAME - 1
			);
		i = calloc(1, sizeof(*i));
		if (i == NULL)
			return err_oom(err);
		strcpy(i->name, name);
		i->next = s->first;
		s->first = i;
	}
	*ret = i;
	return 0;
}

void specs_free(struct specs *s)
{
	struct spec *next;

	for (struct spec *i = s->first; i != NULL; i = next) {
		next = i->next;
		routes_free(i->routes);
		users_free(i->users);
		cpes_free(i->cpes);
		free(i->routes);
		free(i->users);
		free(i->cpes);
		free(i);
	}
	s->first = NULL;
}

struct routes *spec_routes(struct spec *s)
{
	if (s->routes == NULL)
		s->routes = calloc(1, sizeof(*s->routes));
	return s->routes;
}

struct users *spec_users(struct spec *s)
{
	if (s->users == NULL)
		s->users = calloc(1, sizeof(*s->users));
	return s->users;
}

struct cpes *spec_cpes(struct spec *s)
{
	if (s->cpes == NULL)
		s->cpes = calloc(1, sizeof(*s->cpes));
	return s->cpes;
}

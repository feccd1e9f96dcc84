// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Entries are said as in a file (table/file.h), and read by the same parser.

#include "serve/answers.h"

#include "table/file.h"
#include "table/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CPES_SHOWN 32

json_t *answer_tables(struct plane *, const json_t *, struct err *)
{
	json_t *all = json_object();

	for (const struct table *t = tables_first(); t != NULL; t = t->next) {
		json_t *one = json_object();

		if (t->routes != NULL) {
			json_object_set_new(
				one,
				"routes",
				json_integer((json_int_t)route_table_routes(t->routes))
			);
			json_object_set_new(
				one, "hops", json_integer((json_int_t)route_table_hops(t->routes))
			);
		}
		if (t->users != NULL)
			json_object_set_new(
				one,
				"subscribers",
				json_integer((json_int_t)user_table_users(t->users))
			);
		json_object_set_new(all, t->name, one);
	}
	return all;
}

static struct table *find_table(const json_t *q, struct err *err)
{
	struct table *t = tables_find(answer_text(q, "table"));

	if (t == NULL)
		err_set(err,
			ENOENT,
			"no table '%.64s'; 'drover ask tables' lists them",
			answer_text(q, "table"));
	return t;
}

static struct route_table *find_routes(const json_t *q, struct err *err)
{
	struct table *t = find_table(q, err);

	if (t != NULL && t->routes == NULL)
		err_set(err, EINVAL, "table '%s' has no routes that a task uses", t->name);
	return t != NULL ? t->routes : NULL;
}

static struct user_table *find_users(const json_t *q, struct err *err)
{
	struct table *t = find_table(q, err);

	if (t != NULL && t->users == NULL)
		err_set(err, EINVAL, "table '%s' has no subscribers that a task uses", t->name);
	return t != NULL ? t->users : NULL;
}

static void release(struct spec *s)
{
	struct specs all = {0};
	struct spec *one;
	struct err err;

	// the set frees the parts
	if (specs_get(&all, "x", &one, &err) == 0) {
		one->routes = s->routes;
		one->users = s->users;
		one->cpes = s->cpes;
	}
	specs_free(&all);
}

static json_t *done(int r, const char *what)
{
	return r == 0 ? json_pack("{s:s}", "done", what) : NULL;
}

// One change of a table's routes or subscribers.
struct change {
	const char *kind, *keys[6], *end; // as an entry of a file: its values are those of the keys
	const char *said;
	int (*routes)(struct route_table *t, const struct spec *s, struct err *err); // or
	int (*users)(struct user_table *t, const struct spec *s, struct err *err);
};

// *s is to be released.
static int parse_entry(const struct change *c, const json_t *q, struct spec *s, struct err *err)
{
	char line[256];
	size_t at = (size_t)snprintf(line, sizeof(line), "%s", c->kind);

	for (const char *const *key = c->keys; *key != NULL && at < sizeof(line); key++) {
		const char *text = answer_text(q, *key);
		json_int_t n = json_integer_value(json_object_get(q, *key));
		size_t room = sizeof(line) - at;

		at += (size_t
		)(text != NULL ? snprintf(line + at, room, ",%s", text)
			       : snprintf(line + at, room, ",%" JSON_INTEGER_FORMAT, n));
	}
	if (at < sizeof(line))
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s", c->end);
	if (at >= sizeof(line) || strchr(line, '\n') != NULL)
		return err_set(err, EINVAL, "'%.40s...' is no entry", line);
	return table_parse(line, at, "the request", s, err);
}

static json_t *change(const struct change *c, const json_t *q, struct err *err)
{
	struct route_table *routes = c->routes != NULL ? find_routes(q, err) : NULL;
	struct user_table *users = c->users != NULL ? find_users(q, err) : NULL;
	struct spec s = {0};
	int r;

	if (routes == NULL && users == NULL)
		return NULL;
	r = parse_entry(c, q, &s, err);
	if (r == 0)
		r = routes != NULL ? c->routes(routes, &s, err) : c->users(users, &s, err);
	release(&s);
	return done(r, c->said);
}

static int hop_add(struct route_table *t, const struct spec *s, struct err *err)
{
	return route_table_add_hop(t, &s->routes->hops[0], err);
}

static int route_add(struct route_table *t, const struct spec *s, struct err *err)
{
	return route_table_add(t, &s->routes->routes[0], err);
}

static int route_del(struct route_table *t, const struct spec *s, struct err *err)
{
	return route_table_del(t, s->routes->routes[0].ip, s->routes->routes[0].depth, err);
}

static int user_add(struct user_table *t, const struct spec *s, struct err *err)
{
	return user_table_add(t, &s->users->list[0], err);
}

static int user_del(struct user_table *t, const struct spec *s, struct err *err)
{
	return user_table_del(t, s->users->list[0].gre_id, err);
}

#define CHANGE(name, ...)                                                       \
	json_t *answer_##name(struct plane *, const json_t *q, struct err *err) \
	{                                                                       \
		static const struct change c = {__VA_ARGS__};                   \
		return change(&c, q, err);                                      \
	}

CHANGE(hop_add, "hop", {"id", "address", "mac", "label", "port"}, "", "hop added", .routes = hop_add
)
CHANGE(route_add, "route", {"prefix", "hop"}, "", "route added", .routes = route_add)
CHANGE(route_del, "route", {"prefix"}, ",0", "route removed", .routes = route_del)
CHANGE(user_add, "user", {"svlan", "cvlan", "gre_id"}, "", "subscriber added", .users = user_add)
CHANGE(user_del, "user,0,0", {"gre_id"}, "", "subscriber removed", .users = user_del)

// What the table has of both kinds is replaced by what the file has of them.
static int reload(struct table *t, const struct spec *s, struct err *err)
{
	if (t->routes != NULL && s->routes != NULL
	    && route_table_reload(t->routes, s->routes, err) < 0)
		return -err->code;
	if (t->users != NULL && s->users != NULL && user_table_reload(t->users, s->users, err) < 0)
		return -err->code;
	if (t->users != NULL && s->cpes != NULL)
		return user_table_add_cpes(t->users, s->cpes, err);
	return 0;
}

json_t *answer_reload(struct plane *, const json_t *q, struct err *err)
{
	struct table *t = find_table(q, err);
	const char *file = answer_text(q, "file");
	struct spec s = {0};
	int r;

	if (t == NULL)
		return NULL;
	r = tables_read(file != NULL ? file : t->name, &s, err);
	if (r == 0)
		r = reload(t, &s, err);
	release(&s);
	return done(r, "table reloaded");
}

static void show_cpe(void *arg, const struct cpe_seen *c)
{
	char name[48], text[64];

	snprintf(
		name,
		sizeof(name),
		"%u %u.%u.%u.%u",
		c->gre_id,
		c->ip >> 24,
		c->ip >> 16 & 255,
		c->ip >> 8 & 255,
		c->ip & 255
	);
	snprintf(
		text,
		sizeof(text),
		"%02x:%02x:%02x:%02x:%02x:%02x %u/%u port %u%s",
		c->mac[0],
		c->mac[1],
		c->mac[2],
		c->mac[3],
		c->mac[4],
		c->mac[5],
		c->svlan,
		c->cvlan,
		(unsigned)c->port % CPE_OUTPUT,
		c->is_static ? " static" : ""
	);
	json_object_set_new(arg, name, json_string(text));
}

json_t *answer_cpes(struct plane *, const json_t *q, struct err *err)
{
	struct user_table *t = find_users(q, err);
	json_t *all;

	if (t == NULL)
		return NULL;
	all = json_object();
	user_table_cpes(t, INT32_MAX, CPES_SHOWN, show_cpe, all);
	return all;
}

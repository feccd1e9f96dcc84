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

json_t *answer_tables(struct plane *p, char *param, struct err *err)
{
	json_t *all = json_object();

	(void)p;
	(void)param;
	(void)err;
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

// The table that the parameter begins with, and what follows its comma.
static struct table *take_table(char *param, const char **rest, struct err *err)
{
	char *comma = strchr(param, ',');
	struct table *t;

	if (comma != NULL)
		*comma = '\0';
	*rest = comma != NULL ? comma + 1 : "";
	t = tables_find(param);
	if (t == NULL)
		err_set(err, ENOENT, "no table '%.64s'; /drover/tables lists them", param);
	return t;
}

static struct route_table *take_routes(char *param, const char **rest, struct err *err)
{
	struct table *t = take_table(param, rest, err);

	if (t != NULL && t->routes == NULL)
		err_set(err, EINVAL, "table '%s' has no routes that a task uses", t->name);
	return t != NULL ? t->routes : NULL;
}

static struct user_table *take_users(char *param, const char **rest, struct err *err)
{
	struct table *t = take_table(param, rest, err);

	if (t != NULL && t->users == NULL)
		err_set(err, EINVAL, "table '%s' has no subscribers that a task uses", t->name);
	return t != NULL ? t->users : NULL;
}

// One entry; s is to be released.
static int parse_entry(
	const char *kind, const char *rest, const char *more, struct spec *s, struct err *err
)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s,%s%s", kind, rest, more);

	*s = (struct spec){0};
	if (n < 0 || (size_t)n >= sizeof(line) || strchr(line, '\n') != NULL)
		return err_set(err, EINVAL, "'%.40s…' is no entry", rest);
	return table_parse(line, (size_t)n, "parameter", s, err);
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

// One change of a table's routes or subscribers, as the entry says.
struct change {
	const char *kind, *more; // around what the user writes, to make it an entry of a file
	const char *said;
	int (*routes)(struct route_table *t, const struct spec *s, struct err *err); // or
	int (*users)(struct user_table *t, const struct spec *s, struct err *err);
};

static json_t *change(const struct change *c, char *param, struct err *err)
{
	const char *rest;
	struct route_table *routes = c->routes != NULL ? take_routes(param, &rest, err) : NULL;
	struct user_table *users = c->users != NULL ? take_users(param, &rest, err) : NULL;
	struct spec s;
	int r;

	if (routes == NULL && users == NULL)
		return NULL;
	r = parse_entry(c->kind, rest, c->more, &s, err);
	if (r == 0)
		r = routes != NULL ? c->routes(routes, &s, err) : c->users(users, &s, err);
	release(&s);
	return done(r, c->said);
}

static int hop_add(struct route_table *t, const struct spec *s, struct err *err)
{
	return route_table_add_hop(t, &s->routes->hops[0], err);
}

json_t *answer_hop_add(struct plane *, char *param, struct err *err)
{
	return change(&(struct change){"hop", "", "hop added", .routes = hop_add}, param, err);
}

static int route_add(struct route_table *t, const struct spec *s, struct err *err)
{
	return route_table_add(t, &s->routes->routes[0], err);
}

json_t *answer_route_add(struct plane *, char *param, struct err *err)
{
	return change(
		&(struct change){"route", "", "route added", .routes = route_add}, param, err
	);
}

static int route_del(struct route_table *t, const struct spec *s, struct err *err)
{
	return route_table_del(t, s->routes->routes[0].ip, s->routes->routes[0].depth, err);
}

json_t *answer_route_del(struct plane *, char *param, struct err *err)
{
	return change(
		&(struct change){"route", ",0", "route removed", .routes = route_del}, param, err
	);
}

static int user_add(struct user_table *t, const struct spec *s, struct err *err)
{
	return user_table_add(t, &s->users->list[0], err);
}

json_t *answer_user_add(struct plane *, char *param, struct err *err)
{
	return change(
		&(struct change){"user", "", "subscriber added", .users = user_add}, param, err
	);
}

static int user_del(struct user_table *t, const struct spec *s, struct err *err)
{
	return user_table_del(t, s->users->list[0].gre_id, err);
}

json_t *answer_user_del(struct plane *, char *param, struct err *err)
{
	return change(
		&(struct change){"user,0,0", "", "subscriber removed", .users = user_del},
		param,
		err
	);
}

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

json_t *answer_reload(struct plane *p, char *param, struct err *err)
{
	const char *rest;
	struct table *t = take_table(param, &rest, err);
	struct spec s = {0};
	int r;

	(void)p;
	if (t == NULL)
		return NULL;
	r = tables_read(*rest != '\0' ? rest : t->name, &s, err);
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

json_t *answer_cpes(struct plane *p, char *param, struct err *err)
{
	const char *rest;
	struct user_table *t = take_users(param, &rest, err);
	json_t *all;

	(void)p;
	if (t == NULL)
		return NULL;
	all = json_object();
	user_table_cpes(t, INT32_MAX, CPES_SHOWN, show_cpe, all);
	return all;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "table/tables.h"

#include "base/str.h"
#include "rcu.h"
#include "table/file.h"
#include "table/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct specs *specs;
static char *folder;
static struct specs files; // read by us
static struct table *tables;

int tables_begin(const struct specs *s, const char *dir, struct err *err)
{
	tables_end();
	if (rcu_begin(err) < 0)
		return -err->code;
	if (dir != NULL) {
		folder = strdup(dir);
		if (folder == NULL)
			return err_oom(err);
	}
	specs = s;
	return 0;
}

void tables_end(void)
{
	struct table *next;

	for (struct table *t = tables; t != NULL; t = next) {
		next = t->next;
		route_table_free(t->routes);
		user_table_free(t->users);
		free(t);
	}
	tables = NULL;
	specs_free(&files);
	free(folder);
	folder = NULL;
	specs = NULL;
}

struct table *tables_first(void)
{
	return tables;
}

struct table *tables_find(const char *name)
{
	for (struct table *t = tables; t != NULL; t = t->next) {
		if (str_eq(t->name, name))
			return t;
	}
	return NULL;
}

static bool is_file(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') != NULL || (len > 4 && str_eq(name + len - 4, ".csv"));
}

int tables_read(const char *path, struct spec *ret, struct err *err)
{
	if (folder == NULL)
		return err_set(err, EINVAL, "table '%s': tables in files have no folder", path);
	return table_read(folder, path, ret, err);
}

// What the name stands for. The spec of a file is read once, however many tasks name it.
static int find_spec(const char *name, const struct spec **ret, struct err *err)
{
	const struct spec *s = specs != NULL ? specs_find(specs, name) : NULL;
	struct spec *file = NULL;

	if (s == NULL)
		s = specs_find(&files, name);
	if (s == NULL && is_file(name)) {
		if (specs_get(&files, name, &file, err) < 0 || tables_read(name, file, err) < 0)
			return -err->code;
		s = file;
	}
	if (s == NULL)
		return err_set(
			err,
			ENOENT,
			"no table '%.64s': define it in [lua], or name a file such as %.40s.csv",
			name,
			name
		);
	*ret = s;
	return 0;
}

static int get(const char *name, struct table **ret, struct err *err)
{
	struct table *t = tables_find(name);

	if (t == NULL) {
		t = calloc(1, sizeof(*t));
		if (t == NULL)
			return err_oom(err);
		snprintf(t->name, sizeof(t->name), "%s", name);
		t->next = tables;
		tables = t;
	}
	*ret = t;
	return 0;
}

// Finds the spec and the table of that name.
static int find(const char *name, const struct spec **ret_spec, struct table **ret, struct err *err)
{
	if (find_spec(name, ret_spec, err) < 0 || get(name, ret, err) < 0)
		return -err->code;
	return 0;
}

int tables_routes(const char *name, int socket, struct route_table **ret, struct err *err)
{
	const struct spec *s = NULL;
	struct table *t = NULL;

	if (find(name, &s, &t, err) < 0)
		return -err->code;
	if (t->routes == NULL && s->routes == NULL)
		return err_set(err, EINVAL, "table '%s' has no routes", name);
	if (t->routes == NULL && route_table_make(name, s->routes, socket, &t->routes, err) < 0)
		return -err->code;
	*ret = t->routes;
	return 0;
}

int tables_users(const char *name, int socket, struct user_table **ret, struct err *err)
{
	const struct spec *s = NULL;
	struct table *t = NULL;

	if (find(name, &s, &t, err) < 0)
		return -err->code;
	if (t->users == NULL && s->users == NULL)
		return err_set(err, EINVAL, "table '%s' has no subscribers", name);
	if (t->users == NULL) {
		struct user_table *users;

		if (user_table_make(name, s->users, socket, &users, err) < 0)
			return -err->code;
		// those of the same file
		if (s->cpes != NULL && user_table_add_cpes(users, s->cpes, err) < 0) {
			user_table_free(users);
			return -err->code;
		}
		t->users = users;
	}
	*ret = t->users;
	return 0;
}

int tables_cpes(const char *name, struct user_table *users, struct err *err)
{
	const struct spec *s = NULL;

	if (find_spec(name, &s, err) < 0)
		return -err->code;
	if (s->cpes == NULL)
		return err_set(err, EINVAL, "table '%s' has no CPEs", name);
	return user_table_add_cpes(users, s->cpes, err);
}

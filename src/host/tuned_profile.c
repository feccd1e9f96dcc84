// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/tuned_profile.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "host/tuned.h"
#include "host/tuned_file.h"

#include <stdio.h>
#include <string.h>

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "_.-";

// ---- variables

const struct tuned_variable *tuned_variable(const struct tuned_variables *v, const char *name)
{
	for (unsigned i = 0; i < v->n; i++) {
		if (str_eq(v->list[i].name, name))
			return &v->list[i];
	}
	return NULL;
}

// One that is there keeps its place.
static void set(struct tuned_variables *v, const char *name, const char *value, const char *file)
{
	struct tuned_variable *to = (struct tuned_variable *)tuned_variable(v, name);

	if (to == NULL && v->n == TUNED_NAMES)
		return;
	if (to == NULL)
		to = &v->list[v->n++];
	snprintf(to->name, sizeof(to->name), "%s", name);
	snprintf(to->value, sizeof(to->value), "%s", value);
	snprintf(to->file, sizeof(to->file), "%s", file);
}

// "${name}" alone is that one, and "x = ${x}" leaves it as it is.
static void evaluate(
	struct tuned_variables *v, const char *name, const char *value, const char *file
)
{
	const struct tuned_variable *other;
	char inner[64];
	int end = 0;

	if (sscanf(value, "${%63[A-Za-z0-9_]}%n", inner, &end) != 1 || end == 0
	    || value[end] != '\0') {
		set(v, name, value, file);
		return;
	}
	other = tuned_variable(v, inner);
	if (other != NULL && !str_eq(inner, name)) {
		const struct tuned_variable copy = *other;

		set(v, name, copy.value, copy.file);
	}
}

static void read_variables(const struct hostfs *fs, const char *path, struct tuned_variables *v)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, path);
	struct tuned_file t = {.f = f};

	while (tuned_file_next(&t))
		evaluate(v, t.key, t.value, path);
}

// A profile may name a file beside its own.
static void read_included(
	const struct hostfs *fs, const struct tuned_variable *include, struct tuned_variables *v
)
{
	static const char beside[] = "${i:PROFILE_DIR}/";
	const char *slash = strrchr(include->file, '/');
	_cleanup_free_ char *path = NULL;

	if (str_starts(include->value, beside) && slash != NULL)
		path = str_printf(
			"%.*s%s",
			(int)(slash + 1 - include->file),
			include->file,
			include->value + strlen(beside)
		);
	else
		path = strdup(include->value);
	if (path != NULL)
		read_variables(fs, path, v);
}

void tuned_profile_variables(const struct tuned_profile *p, struct tuned_variables *ret)
{
	*ret = (struct tuned_variables){0};
	for (unsigned i = 0; i < p->written.n; i++) {
		const struct tuned_variable *v = &p->written.list[i];

		if (str_eq(v->name, "include"))
			read_included(p->fs, v, ret);
		else
			evaluate(ret, v->name, v->value, v->file);
	}
}

// ---- profiles

static bool is_read(const struct tuned_profile *p, const char *path)
{
	for (unsigned i = 0; i < p->nfiles; i++) {
		if (str_eq(p->files[i], path))
			return true;
	}
	return false;
}

static bool is_there(const struct hostfs *fs, const char *path)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, path);

	return f != NULL;
}

// An administrator's before the package's; from tuned 2.24 on both are in a directory of profiles. One that is being read
// is not meant: so may one include what it stands in for. Returns false where there is none.
static bool find_file(const struct tuned_profile *p, const char *name, char ret[static 160])
{
	static const char *const where[] = {
		"/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned"};

	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		snprintf(ret, 160, "%s/%.64s/tuned.conf", where[i], name);
		if (!is_read(p, ret) && is_there(p->fs, ret))
			return true;
	}
	return false;
}

// "one, two; -three": the last only where it is there. "${…}" is a function, which gives one of the words in it, or several, or
// what is a name only with the text beside it; one that begins as ours does is a variant of it.
static void include(struct tuned_profile *p, const char *list)
{
	int depth = 0;

	for (const char *c = list; *c != '\0';) {
		size_t n = strspn(c, name_chars);
		char name[80];

		if (n == 0) {
			depth += *c == '{' ? 1 : *c == '}' ? -1 : 0;
			c++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)n, c);
		if (p->guess
		    || (depth <= 0 && (c == list || c[-1] != '}')
			&& (c[n] != '$' || str_starts(name, TUNED_PROFILE))))
			tuned_profile_add(p, name + (name[0] == '-'));
		c += n;
	}
}

// What is known of it without its file.
static void add_unread(struct tuned_profile *p, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "/etc/tuned/%.64s-variables.conf", name);
	set(&p->written, "include", is_there(p->fs, path) ? path : TUNED_VARIABLES, "");
}

void tuned_profile_add(struct tuned_profile *p, const char *name)
{
	_cleanup_fclose_ FILE *f = NULL;
	struct tuned_file t = {0};
	char path[160], others[sizeof(t.value)] = "";
	bool ours = str_starts(name, TUNED_PROFILE);

	if (!find_file(p, name, path)) {
		if (ours && !p->partitions)
			add_unread(p, name);
		p->partitions = p->partitions || ours;
		return;
	}
	if (p->nfiles == ARRAY_LEN(p->files))
		return;
	snprintf(p->files[p->nfiles++], sizeof(p->files[0]), "%s", path);
	f = hostfs_fopen(p->fs->root, path);
	t.f = f;
	while (tuned_file_next(&t)) {
		if (str_eq(t.section, "main") && str_eq(t.key, "include"))
			snprintf(others, sizeof(others), "%s", t.value);
	}
	include(p, others);
	p->partitions = p->partitions || ours;
	if (f != NULL)
		rewind(f);
	t = (struct tuned_file){.f = f};
	while (tuned_file_next(&t)) {
		if (str_eq(t.section, "variables"))
			set(&p->written, t.key, t.value, path);
	}
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/files.h"

#include "base/scope.h"
#include "base/str.h"

#include <string.h>

void names_done(struct names *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct names){0};
}

void names_add(struct names *s, const char *name)
{
	char *copy = strdup(name), **more;

	if (copy == NULL)
		return;
	more = reallocarray(s->v, s->n + 1, sizeof(*more));
	if (more == NULL) {
		free(copy);
		return;
	}
	s->v = more;
	s->v[s->n++] = copy;
}

void names_add_new(struct names *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i], name))
			return;
	names_add(s, name);
}

static int compare(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

void names_sort(struct names *s)
{
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), compare);
}

struct names names_of_dir(const char *path, const char *prefix)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	struct names s = {0};
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && str_starts(e->d_name, prefix))
			names_add(&s, e->d_name);
	names_sort(&s);
	return s;
}

struct names names_of_netdevs(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/net/dev", "re");
	_cleanup_free_ char *line = NULL;
	struct names s = {0};
	size_t room = 0;

	while (f != NULL && getline(&line, &room, f) > 0) {
		char *name = line + strspn(line, " "), *end = strchr(name, ':');

		if (end == NULL) // of the two lines above the table
			continue;
		*end = '\0';
		names_add(&s, name);
	}
	names_sort(&s);
	return s;
}

char *line_of(const char *path, char *buf, size_t len)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	buf[0] = '\0';
	if (f != NULL && fgets(buf, (int)len, f) != NULL)
		buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

uint64_t number_of(const char *path)
{
	char buf[64];

	return strtoull(line_of(path, buf, sizeof(buf)), NULL, 10);
}

char *value_of(const char *path, const char *key, char *buf, size_t len)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0, n = strlen(key);

	buf[0] = '\0';
	while (f != NULL && getline(&line, &room, f) > 0) {
		if (!str_starts(line, key) || line[n] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, len, "%s", line + n + 1 + strspn(line + n + 1, " \t"));
		break;
	}
	return buf;
}

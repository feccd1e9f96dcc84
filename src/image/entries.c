// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/entries.h"

#include "base/scope.h"
#include "base/str.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define LINKS_MAX 40 // as the kernel

void entries_done(struct entries *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].path);
		free(s->v[i].link);
	}
	free(s->v);
	*s = (struct entries){0};
}

const struct entry *entries_find(const struct entries *s, const char *path)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i].path, path))
			return &s->v[i];
	return NULL;
}

static int add(
	struct entries *s, const char *path, const char *link, uint64_t bytes, struct err *err
)
{
	struct entry e = {.bytes = bytes}, *more;

	if (entries_find(s, path) != NULL)
		return 0;
	e.path = strdup(path);
	e.link = link != NULL ? strdup(link) : NULL;
	more = reallocarray(s->v, s->n + 1, sizeof(*more));
	if (more != NULL)
		s->v = more;
	if (more == NULL || e.path == NULL || (link != NULL && e.link == NULL)) {
		free(e.path);
		free(e.link);
		return err_oom(err);
	}
	s->v[s->n++] = e;
	return 0;
}

int entries_link(struct entries *s, const char *path, const char *text, struct err *err)
{
	return add(s, path, text, 0, err);
}

// One step along the path: appends the next component of *rest to done. Returns false at the end.
static bool next_component(char *done, const char **rest, bool *ret_dot)
{
	size_t n;

	*rest += strspn(*rest, "/");
	n = strcspn(*rest, "/");
	if (n == 0)
		return false;
	*ret_dot = true;
	if (n == 2 && strncmp(*rest, "..", 2) == 0) {
		char *slash = strrchr(done, '/');

		if (slash != NULL)
			*slash = '\0';
	} else if (n != 1 || **rest != '.') {
		size_t len = strlen(done);

		snprintf(done + len, PATH_MAX - len, "/%.*s", (int)n, *rest);
		*ret_dot = false;
	}
	*rest += n;
	return true;
}

int entries_take(struct entries *s, const char *path, struct err *err)
{
	char done[PATH_MAX] = "", todo[PATH_MAX], text[PATH_MAX];
	const char *rest = todo;
	unsigned links = 0;
	struct stat st = {0};
	bool dot;

	if (strlen(path) >= sizeof(todo))
		return err_set(err, ENAMETOOLONG, "take '%.64s...': the path is too long", path);
	snprintf(todo, sizeof(todo), "%s", path);
	while (next_component(done, &rest, &dot)) {
		_cleanup_free_ char *further = NULL;
		ssize_t n;

		if (dot)
			continue;
		if (lstat(done, &st) < 0)
			return err_sys(err, errno, "take '%s'", path);
		if (!S_ISLNK(st.st_mode))
			continue;
		n = readlink(done, text, sizeof(text) - 1);
		if (n <= 0)
			return err_sys(err, n < 0 ? errno : EINVAL, "read link '%s'", done);
		text[n] = '\0';
		if (++links > LINKS_MAX)
			return err_sys(err, ELOOP, "take '%s'", path);
		if (add(s, done, text, 0, err) < 0)
			return -err->code;
		further = str_printf("%s/%s", text, rest);
		if (further == NULL)
			return err_oom(err);
		if (strlen(further) >= sizeof(todo))
			return err_sys(err, ENAMETOOLONG, "take '%s'", path);
		snprintf(todo, sizeof(todo), "%s", further);
		rest = todo;
		if (text[0] == '/')
			done[0] = '\0';
		else
			*strrchr(done, '/') = '\0';
	}
	if (lstat(done[0] != '\0' ? done : "/", &st) < 0)
		return err_sys(err, errno, "take '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(
			err,
			EINVAL,
			"take '%s': not a regular file; name the files themselves",
			path
		);
	return add(s, done, NULL, (uint64_t)st.st_size, err);
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void entries_sort(struct entries *s)
{
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), compare);
}

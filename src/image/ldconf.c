// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/ldconf.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (1u << 20)
#define DEPTH_MAX 8
#define DIRS_MAX 256

// Of Debian's loader and, lib64, of others'. What the image has there its cache tells the loader.
static const char *const builtin[] = {
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
	"/lib64",
	"/usr/lib64",
	"/lib",
	"/usr/lib",
};

void ldconf_done(struct ldconf *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].path);
	free(c->v);
	*c = (struct ldconf){0};
}

int ldconf_parse(
	char *text, int (*fn)(enum ldconf_word what, const char *word, void *arg), void *arg
)
{
	static const char blanks[] = " \t\r\f\v";
	char *save = NULL;
	int r = 0;

	for (char *line = strtok_r(text, "\n", &save); line != NULL && r == 0;
	     line = strtok_r(NULL, "\n", &save)) {
		char *word, *rest = NULL;
		size_t n;

		line[strcspn(line, "#")] = '\0';
		line += strspn(line, blanks);
		if (line[0] == '/')
			line[strcspn(line, "=")] = '\0'; // "=TYPE" is of old
		for (n = strlen(line); n > 0 && strchr(blanks, line[n - 1]) != NULL; n--)
			line[n - 1] = '\0';
		n = strcspn(line, blanks);
		if (strncmp(line, "include", n) == 0 && n == strlen("include") && line[n] != '\0') {
			for (word = strtok_r(line + n, blanks, &rest); word != NULL && r == 0;
			     word = strtok_r(NULL, blanks, &rest))
				r = fn(LDCONF_INCLUDE, word, arg);
		} else if (line[0] == '/') {
			// other words ("hwcap") name no folder
			r = fn(LDCONF_DIR, line, arg);
		}
	}
	return r;
}

struct reading {
	struct ldconf *c;
	const char *file;
	unsigned depth;
	struct err *err;
};

// A folder that is not there is no fault, and one that is there already stays where it is.
static int add(struct ldconf *c, const char *path, bool own, struct err *err)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	struct ldconf_dir *more;
	struct stat st;

	if (real == NULL || stat(real, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	for (size_t i = 0; i < c->n; i++) {
		if (str_eq(c->v[i].path, real)) {
			c->v[i].builtin |= own;
			return 0;
		}
	}
	if (c->n == DIRS_MAX)
		return err_set(
			err, E2BIG, "read '/etc/ld.so.conf': more than %d folders", DIRS_MAX
		);
	more = reallocarray(c->v, c->n + 1, sizeof(*more));
	if (more == NULL)
		return err_oom(err);
	c->v = more;
	c->v[c->n++] = (struct ldconf_dir){.path = steal_ptr(real), .builtin = own};
	return 0;
}

static int read_file(struct ldconf *c, const char *path, unsigned depth, struct err *err);

static int include(const struct reading *r, const char *word)
{
	_cleanup_free_ char *pattern =
		word[0] == '/'
			? strdup(word)
			: str_printf(
				"%.*s/%s", (int)(strrchr(r->file, '/') - r->file), r->file, word
			);
	glob_t g;
	int status = 0;

	if (pattern == NULL)
		return err_oom(r->err);
	if (glob(pattern, 0, NULL, &g) != 0)
		return 0;
	for (size_t i = 0; i < g.gl_pathc && status == 0; i++)
		status = read_file(r->c, g.gl_pathv[i], r->depth + 1, r->err);
	globfree(&g);
	return status;
}

static int take(enum ldconf_word what, const char *word, void *arg)
{
	const struct reading *r = arg;

	return what == LDCONF_INCLUDE ? include(r, word) : add(r->c, word, false, r->err);
}

static int read_file(struct ldconf *c, const char *path, unsigned depth, struct err *err)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct reading reading = {.c = c, .file = path, .depth = depth, .err = err};
	_cleanup_free_ char *text = NULL;
	int r;

	if (depth > DEPTH_MAX)
		return err_set(err, ELOOP, "read '%s': includes in a circle", path);
	r = fs_read(root, path, FILE_MAX, &text, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(err, -r, "read '%s'", path);
	return ldconf_parse(text, take, &reading);
}

int ldconf_read(struct ldconf *ret, struct err *err)
{
	_cleanup_ldconf_ struct ldconf c = {0};

	if (read_file(&c, "/etc/ld.so.conf", 0, err) < 0)
		return -err->code;
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		if (add(&c, builtin[i], true, err) < 0)
			return -err->code;
	*ret = c;
	c = (struct ldconf){0};
	return 0;
}

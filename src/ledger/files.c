// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "ledger/files.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

void names_done(struct names *n)
{
	for (size_t i = 0; n->list != NULL && i < n->n; i++)
		free(n->list[i]);
	free(n->list);
	*n = (struct names){0};
}

int files_write(int dir, const char *name, const json_t *doc, bool durable, struct err *err)
{
	_cleanup_free_ char *file = str_printf("%s.json", name);
	_cleanup_free_ char *text = doc != NULL ? json_dumps(doc, JSON_INDENT(2)) : NULL;

	if (file == NULL || text == NULL)
		return err_oom(err);
	if (durable)
		return fs_write_durable(dir, file, text, strlen(text), 0600, err);
	return fs_write_fleeting(dir, file, text, strlen(text), 0600, err);
}

int files_read(int dir, const char *name, const char *what, json_t **ret, struct err *err)
{
	_cleanup_free_ char *file = str_printf("%s.json", name);
	_cleanup_free_ char *full = str_printf("%s '%s'", what, name);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	if (file == NULL || full == NULL)
		return err_oom(err);
	r = dir < 0 ? -ENOENT : fs_read_system(dir, file, 1u << 20, &text, &len);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "%s does not exist", full);
	if (r < 0)
		return err_sys(err, -r, "read %s", full);
	return jread_parse(text, len, full, ret, err);
}

int files_remove(int dir, const char *name, struct err *err)
{
	_cleanup_free_ char *file = str_printf("%s.json", name);

	if (file == NULL)
		return err_oom(err);
	if (unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s'", file);
	return 0;
}

bool files_exists(int dir, const char *name)
{
	_cleanup_free_ char *file = str_printf("%s.json", name);

	return dir >= 0
	       && (file == NULL || faccessat(dir, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0
		   || errno != ENOENT);
}

static int compare(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

int files_names(int dir, struct names *ret, struct err *err)
{
	_cleanup_names_ struct names names = {0};
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;

	if (dir < 0) {
		*ret = names;
		return 0;
	}
	d = dir_open(dir, ".", 0);
	if (d == NULL)
		return err_sys(err, errno, "list the ledger");
	while ((e = dir_next(d)) != NULL) {
		size_t len = strlen(e->d_name);
		char **more;

		if (e->d_name[0] == '.' || len < 6 || !str_eq(e->d_name + len - 5, ".json"))
			continue;
		more = realloc(names.list, (names.n + 1) * sizeof(*more));
		if (more == NULL)
			return err_oom(err);
		names.list = more;
		names.list[names.n] = strndup(e->d_name, len - 5);
		if (names.list[names.n] == NULL)
			return err_oom(err);
		names.n++;
	}
	if (errno != 0)
		return err_sys(err, errno, "list the ledger");
	if (names.n > 0)
		qsort(names.list, names.n, sizeof(*names.list), compare);
	*ret = names;
	names = (struct names){0}; // handed over
	return 0;
}

void files_sweep(int dir)
{
	_cleanup_closedir_ DIR *d = dir >= 0 ? dir_open(dir, ".", 0) : NULL;
	struct dirent *e;

	while ((e = dir_next(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (e->d_name[0] == '.' && len > 4 && str_eq(e->d_name + len - 4, ".tmp"))
			unlinkat(dir, e->d_name, 0);
	}
}

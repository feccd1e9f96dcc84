// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "engine/engine.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (1u << 20)
#define KEPT ".before-pinfold"

int engine_read(const char *file, char **ret, struct err *err)
{
	char *text = NULL;
	int r = fs_read_file(file, FILE_MAX, &text, NULL);

	if (r == -ENOENT) {
		text = strdup("");
		r = text != NULL ? 0 : -ENOMEM;
	}
	if (r < 0)
		return err_sys(err, -r, "read '%.200s'", file);
	*ret = text;
	return 0;
}

static int write_one(int dir, const char *name, const char *text, mode_t mode, struct err *err)
{
	return fs_write_durable(dir, name, text, strlen(text), mode, err);
}

int engine_write(
	const char *file, const char *before, const char *after, mode_t mode, struct err *err
)
{
	const char *slash = strrchr(file, '/');
	_cleanup_free_ char *top = NULL, *kept = NULL;
	_cleanup_close_ int dir = -1;
	struct stat st;

	if (slash == NULL || slash[1] == '\0')
		return err_set(err, EINVAL, "write '%.200s': say its whole path", file);
	top = slash == file ? strdup("/") : strndup(file, (size_t)(slash - file));
	kept = str_printf("%s" KEPT, slash + 1);
	if (top == NULL || kept == NULL)
		return err_oom(err);
	dir = fs_mkdirs(top, 0755, err);
	if (dir < 0)
		return dir;
	if (mode == 0)
		mode = fstatat(dir, slash + 1, &st, 0) == 0 ? st.st_mode & 07777 : 0644;
	if (before[0] != '\0' && write_one(dir, kept, before, mode, err) < 0)
		return -err->code;
	if (after[0] != '\0')
		return write_one(dir, slash + 1, after, mode, err);
	if (unlinkat(dir, slash + 1, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%.200s'", file);
	return 0;
}

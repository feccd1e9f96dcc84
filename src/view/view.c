// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "view/view.h"

#include "base/fs.h"
#include "base/scope.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

static void append(struct view *v, struct view_entry e)
{
	if (e.path == NULL || (e.value == NULL && e.kind != VIEW_DIR))
		v->failed = true;
	if (v->n == v->room) {
		unsigned room = v->room == 0 ? 64 : v->room * 2;
		struct view_entry *more = realloc(v->entries, room * sizeof(*more));

		if (more == NULL) {
			v->failed = true;
			free(e.path);
			free(e.value);
			return;
		}
		v->entries = more;
		v->room = room;
	}
	v->entries[v->n++] = e;
}

void view_add(struct view *v, enum view_kind kind, char *value, const char *path_fmt, ...)
{
	struct view_entry e = {.kind = kind, .value = value};
	va_list ap;

	va_start(ap, path_fmt);
	if (vasprintf(&e.path, path_fmt, ap) < 0)
		e.path = NULL;
	va_end(ap);
	append(v, e);
}

void view_file(struct view *v, const char *path, const char *fmt, ...)
{
	struct view_entry e = {.kind = VIEW_FILE, .path = strdup(path)};
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&e.value, fmt, ap) < 0)
		e.value = NULL;
	va_end(ap);
	append(v, e);
}

void view_cover(struct view *v, const struct hostfs *fs, const char *path, const char *over)
{
	_cleanup_close_ int fd = fs_open_in(fs->root, over, O_PATH, 0);

	if (fd >= 0 && v->ncovers < VIEW_COVERS)
		v->covers[v->ncovers++] = (struct view_cover){.path = path, .over = over};
}

int view_build(
	const struct grant *g,
	const struct host *host,
	const struct hostfs *fs,
	struct view *ret,
	struct err *err
)
{
	struct view v = {0};

	view_cpu(&v, g, host, fs);
	if (host->numa) {
		view_node(&v, g, host);
		view_cover(&v, fs, "node", "/sys/devices/system/node");
	}
	view_hugepages(&v, g, host, fs);
	view_pci(&v, g, host, fs);
	if (view_proc(&v, g, host, fs, err) < 0) {
		view_done(&v);
		return -err->code;
	}
	if (v.failed) {
		view_done(&v);
		return err_oom(err);
	}
	*ret = v;
	return 0;
}

void view_done(struct view *v)
{
	for (unsigned i = 0; i < v->n; i++) {
		free(v->entries[i].path);
		free(v->entries[i].value);
	}
	free(v->entries);
	*v = (struct view){0};
}

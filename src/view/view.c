// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "view/view.h"

#include "base/fs.h"
#include "base/scope.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#define COPY_MAX 4096

// What programs expect in any /sys, whatever is granted; parents first.
static const char *const skeleton[] = {
	"sys",
	"sys/bus",
	"sys/bus/pci",
	"sys/class",
	"sys/devices",
	"sys/devices/system",
	"sys/fs",
	"sys/fs/cgroup",
	"sys/kernel",
	"sys/kernel/mm",
	"sys/module", // EAL: "sysfs is not mounted" without it
};

static void append(struct view *v, struct view_entry e)
{
	if (e.path == NULL || (e.value == NULL && e.kind != VIEW_DIR && e.kind != VIEW_BIND))
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

static bool has(const struct view *v, const char *path)
{
	for (unsigned i = 0; i < v->n; i++) {
		if (v->entries[i].path != NULL && str_eq(v->entries[i].path, path))
			return true;
	}
	return false;
}

void view_dirs(struct view *v, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	if (copy == NULL)
		v->failed = true;
	if (copy == NULL || has(v, path))
		return;
	for (char *slash = strchr(copy, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!has(v, copy))
			view_add(v, VIEW_DIR, NULL, "%s", copy);
		*slash = '/';
	}
	view_add(v, VIEW_DIR, NULL, "%s", path);
}

void view_bind(struct view *v, const char *path_fmt, ...)
{
	struct view_entry e = {.kind = VIEW_BIND};
	va_list ap;

	va_start(ap, path_fmt);
	if (vasprintf(&e.path, path_fmt, ap) < 0)
		e.path = NULL;
	va_end(ap);
	append(v, e);
}

void view_copy(struct view *v, const struct hostfs *fs, const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = strndup(path, (size_t)(slash - path));
	char *text = NULL;

	if (has(v, path) || fs_read_system(fs->root, path, COPY_MAX, &text, NULL) < 0)
		return;
	if (parent != NULL)
		view_dirs(v, parent);
	else
		v->failed = true;
	view_add(v, VIEW_FILE, text, "%s", path);
}

static bool exists(const struct hostfs *fs, const char *path)
{
	_cleanup_close_ int fd = fs_open_in(fs->root, path, O_PATH, 0);

	return fd >= 0;
}

void view_cover_from(struct view *v, const struct hostfs *fs, const char *path, const char *from)
{
	if (!exists(fs, path) || (from != NULL && !exists(fs, from)))
		return;
	if (v->ncovers == VIEW_COVERS)
		v->failed = true;
	else
		v->covers[v->ncovers++] = (struct view_cover){.path = path, .from = from};
}

void view_cover(struct view *v, const struct hostfs *fs, const char *path)
{
	view_cover_from(v, fs, path, NULL);
}

int view_build(
	const struct grant *g,
	const struct host *host,
	const struct hostfs *fs,
	bool whole,
	struct view *ret,
	struct err *err
)
{
	struct view v = {.whole = whole};

	for (size_t i = 0; whole && i < ARRAY_LEN(skeleton); i++)
		view_add(&v, VIEW_DIR, NULL, "%s", skeleton[i]);
	view_cpu(&v, g, host, fs);
	if (host->numa)
		view_node(&v, g, host, fs);
	view_hugepages(&v, g, host, fs);
	view_pci(&v, g, host, fs);
	view_proc(&v, g, host, fs);
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

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/entries.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define LINKS_MAX 40 // as the kernel
#define ENTRIES_MAX 20000

void entries_done(struct entries *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].path);
		free(s->v[i].link);
	}
	for (size_t i = 0; i < s->nclosed; i++)
		free(s->closed[i]);
	free(s->v);
	free(s->closed);
	*s = (struct entries){0};
}

static bool file_same(const struct file_id *id, const struct stat *st)
{
	return id->dev == st->st_dev && id->ino == st->st_ino
	       && id->changed.tv_sec == st->st_ctim.tv_sec
	       && id->changed.tv_nsec == st->st_ctim.tv_nsec;
}

bool file_is_regular(int fd, const struct stat *st)
{
	static const unsigned long kernel[] = {
		PROC_SUPER_MAGIC,
		SYSFS_MAGIC,
		DEBUGFS_MAGIC,
		TRACEFS_MAGIC,
		SECURITYFS_MAGIC,
		CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,
		EFIVARFS_MAGIC,
		PSTOREFS_MAGIC,
		BPF_FS_MAGIC,
	};
	struct statfs fs;

	if (!S_ISREG(st->st_mode) || fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kernel); i++)
		if ((unsigned long)fs.f_type == kernel[i])
			return false;
	return true;
}

static struct entry *find(const struct entries *s, const char *path)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i].path, path))
			return &s->v[i];
	return NULL;
}

const struct entry *entries_find(const struct entries *s, const char *path)
{
	return find(s, path);
}

static int changed(const char *path, struct err *err)
{
	return err_set(
		err, ESTALE, "take '%s': it was changed while the image was built; try again", path
	);
}

static int add(
	struct entries *s,
	const char *path,
	const char *link,
	const struct stat *st,
	struct err *err
)
{
	struct entry e = {0}, *more;

	if (s->n == ENTRIES_MAX)
		return err_set(
			err, E2BIG, "take '%s': more than %d files and links", path, ENTRIES_MAX
		);
	e.path = strdup(path);
	e.link = link != NULL ? strdup(link) : NULL;
	if (st != NULL) {
		e.bytes = (uint64_t)st->st_size;
		e.id = (struct file_id){st->st_dev, st->st_ino, st->st_ctim};
	}
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
	return find(s, path) != NULL ? 0 : add(s, path, text, NULL, err);
}

// A link of this machine.
static int take_link(struct entries *s, const char *path, const char *text, struct err *err)
{
	const struct entry *there = find(s, path);

	if (there == NULL)
		return add(s, path, text, NULL, err);
	return there->link != NULL ? 0 : changed(path, err);
}

// ---- the way to a file, a directory at a time

struct way {
	int at;		     // the directory that done names, or the file at its end
	char done[PATH_MAX]; // free of links; "": the root
	char todo[PATH_MAX]; // what is left, from rest on
	char closed
		[PATH_MAX]; // a directory on it, or the file, that is closed and should not be, or ""
	enum take why;
	const char *rest;
	unsigned links;
	struct stat st; // of at
};

static int to_root(struct way *w)
{
	scope_close(&w->at);
	w->done[0] = '\0';
	w->at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->at >= 0 && fstat(w->at, &w->st) == 0 ? 0 : -errno;
}

static void to_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash != NULL)
		*slash = '\0';
}

// The link goes before what is left of the way.
static int follow(struct entries *s, struct way *w, int link, const char *path, struct err *err)
{
	char text[PATH_MAX];
	_cleanup_free_ char *further = NULL;
	ssize_t n = readlinkat(link, "", text, sizeof(text) - 1);

	if (n <= 0)
		return err_sys(err, n < 0 ? errno : EINVAL, "read link '%s'", w->done);
	text[n] = '\0';
	if (++w->links > LINKS_MAX)
		return err_sys(err, ELOOP, "take '%s'", path);
	if (take_link(s, w->done, text, err) < 0)
		return -err->code;
	further = str_printf("%s/%s", text, w->rest);
	if (further == NULL)
		return err_oom(err);
	if (strlen(further) >= sizeof(w->todo))
		return err_sys(err, ENAMETOOLONG, "take '%s'", path);
	snprintf(w->todo, sizeof(w->todo), "%s", further);
	w->rest = w->todo;
	to_parent(w->done);
	if (text[0] == '/' && to_root(w) < 0)
		return err_sys(err, errno, "take '%s'", path);
	return 0;
}

// A directory on the way that is closed to other users, or the file at its end.
static int meet_closed(struct entries *s, struct way *w, struct err *err)
{
	char **more;

	for (size_t i = 0; i < s->nclosed; i++)
		if (w->why != TAKE_INTERPRETER && str_eq(s->closed[i], w->done))
			return 0;
	if (w->why != TAKE_NAMED) {
		if (w->closed[0] == '\0')
			snprintf(w->closed, sizeof(w->closed), "%s", w->done);
		return 0;
	}
	more = reallocarray(s->closed, s->nclosed + 1, sizeof(*more));
	if (more == NULL)
		return err_oom(err);
	s->closed = more;
	s->closed[s->nclosed] = strdup(w->done);
	if (s->closed[s->nclosed] == NULL)
		return err_oom(err);
	s->nclosed++;
	return 0;
}

// One component. It is opened, not looked at by its path: whoever may rename on the way could else
// have each look see another file.
static int step(struct entries *s, struct way *w, const char *path, size_t n, struct err *err)
{
	_cleanup_free_ char *name = strndup(w->rest, n);
	_cleanup_close_ int next = -1;
	size_t len = strlen(w->done);
	struct stat st;

	if (name == NULL)
		return err_oom(err);
	w->rest += n;
	if (str_eq(name, "."))
		return 0;
	next = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0 || fstat(next, &st) < 0)
		return err_sys(err, errno, "take '%s'", path);
	if (str_eq(name, "..")) {
		to_parent(w->done);
	} else {
		if (len + 1 + n >= sizeof(w->done))
			return err_sys(err, ENAMETOOLONG, "take '%s'", path);
		snprintf(w->done + len, sizeof(w->done) - len, "/%s", name);
	}
	if (S_ISLNK(st.st_mode))
		return follow(s, w, next, path, err);
	if ((st.st_mode & (S_ISDIR(st.st_mode) ? S_IXOTH : S_IROTH)) == 0
	    && meet_closed(s, w, err) < 0)
		return -err->code;
	close(w->at);
	w->at = steal_fd(&next);
	w->st = st;
	return 0;
}

static int walk(struct entries *s, struct way *w, const char *path, struct err *err)
{
	size_t n;

	if (strlen(path) >= sizeof(w->todo))
		return err_set(err, ENAMETOOLONG, "take '%.64s...': the path is too long", path);
	snprintf(w->todo, sizeof(w->todo), "%s", path);
	w->rest = w->todo;
	if (to_root(w) < 0)
		return err_sys(err, errno, "take '%s'", path);
	for (;;) {
		w->rest += strspn(w->rest, "/");
		n = strcspn(w->rest, "/");
		if (n == 0)
			break;
		if (step(s, w, path, n, err) < 0)
			return -err->code;
	}
	if (!file_is_regular(w->at, &w->st))
		return err_set(
			err,
			EINVAL,
			"take '%s': not a regular file; name the files themselves",
			path
		);
	return 0;
}

int entries_take(
	struct entries *s,
	const char *path,
	enum take why,
	const char *by,
	size_t *ret,
	struct err *err
)
{
	struct way w = {.at = -1, .why = why};
	const struct entry *there;
	int r = walk(s, &w, path, err);

	scope_close(&w.at);
	if (r < 0)
		return r;
	there = find(s, w.done);
	if (there != NULL && (there->link != NULL || !file_same(&there->id, &w.st)))
		return changed(path, err);
	if (there == NULL && w.closed[0] != '\0') {
		_cleanup_free_ char *word = str_quote(path);

		if (word == NULL)
			return err_oom(err);
		return err_set(
			err,
			EACCES,
			"take '%s' for '%s': '%s' is closed to other users and the image is not; "
			"--add %s takes it all the same",
			path,
			by,
			w.closed,
			word
		);
	}
	if (there == NULL && add(s, w.done, NULL, &w.st, err) < 0)
		return -err->code;
	if (ret != NULL)
		*ret = there != NULL ? (size_t)(there - s->v) : s->n - 1;
	return 0;
}

int entries_check(const struct entry *e, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "read '%s'", e->path);
	return file_same(&e->id, &st) ? 0 : changed(e->path, err);
}

int entries_open(const struct entry *e, struct err *err)
{
	_cleanup_close_ int at = open(e->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int fd;

	if (at < 0)
		return err_sys(err, errno, "read '%s'", e->path);
	if (entries_check(e, at, err) < 0)
		return -err->code;
	fd = fs_open_regular(at);
	return fd >= 0 ? fd : err_sys(err, errno, "read '%s'", e->path);
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

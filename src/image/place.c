// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/place.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "image/image.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

// In the work directory. Nothing of another name is touched there, should it be another directory.
#define NEW "image.new"
#define OLD "image.old"

static int exists_error(const struct place *p, struct err *err)
{
	return err_set(
		err,
		EEXIST,
		"build image '%s': it exists already; say --replace, or choose another name",
		p->dir
	);
}

// Only an image is replaced: a wrong name must not cost somebody's files.
static int check_image(const struct place *p, int at, const char *name, struct err *err)
{
	_cleanup_close_ int fd = openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_close_ int manifest =
		fd >= 0 ? fs_open_below(fd, IMAGE_MANIFEST, O_PATH, 0, false) : -1;

	if (manifest >= 0)
		return 0;
	return err_set(
		err,
		EEXIST,
		"replace '%s': it is not an image (it has no " IMAGE_MANIFEST
		"); remove it yourself, or choose another name",
		p->dir
	);
}

static int split(struct place *p, struct err *err)
{
	const char *dir = p->dir;
	size_t n = strlen(dir), base;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	for (base = n; base > 0 && dir[base - 1] != '/'; base--)
		;
	snprintf(p->name, sizeof(p->name), "%.*s", (int)(n - base), dir + base);
	if (n >= PATH_MAX || n - base == 0 || n - base > NAME_MAX - 16 || str_eq(p->name, ".")
	    || str_eq(p->name, ".."))
		return err_set(
			err, EINVAL, "build image '%.64s': not the name of a new directory", dir
		);
	snprintf(p->path, sizeof(p->path), "%.*s", base > 0 ? (int)base : 1, base > 0 ? dir : ".");
	snprintf(p->tmp, sizeof(p->tmp), ".%.*s.pinfold", NAME_MAX - 16, p->name);
	return 0;
}

int place_find(const char *dir, bool replace, struct place *p, struct err *err)
{
	struct stat st;

	p->dir = dir;
	if (split(p, err) < 0)
		return -err->code;
	if (str_eq(p->path, IMAGE_DIR "/")) {
		int fd = fs_mkdirs(IMAGE_DIR, 0755, err);

		if (fd < 0)
			return fd;
		close(fd);
	}
	p->parent = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->parent < 0)
		return err_sys(err, errno, "build image '%s': open '%s'", dir, p->path);
	if (flock(p->parent, LOCK_EX | LOCK_NB) < 0)
		return err_set(
			err,
			EBUSY,
			"build image '%s': another image is being built in '%s'; wait for it",
			dir,
			p->path
		);
	p->exists = fstatat(p->parent, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!p->exists)
		return 0;
	return replace ? check_image(p, p->parent, p->name, err) : exists_error(p, err);
}

// A directory that root alone can enter and change: nobody has exchanged what is in it.
static int open_work(struct place *p, struct err *err)
{
	struct stat st;

	p->work = openat(p->parent, p->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p->work >= 0 && fstat(p->work, &st) == 0 && st.st_uid == geteuid()
	    && (st.st_mode & 0777) == 0700)
		return 0;
	scope_close(&p->work);
	p->work = -1;
	return err_set(
		err,
		EPERM,
		"build image '%s': '%s' in '%s' is not a directory of root's that is closed to "
		"others; remove it",
		p->dir,
		p->tmp,
		p->path
	);
}

int place_start(struct place *p, struct err *err)
{
	int fd;

	if (mkdirat(p->parent, p->tmp, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "build image '%s': write to '%s'", p->dir, p->path);
	if (open_work(p, err) < 0)
		return -err->code;
	// What a build that was killed left; the lock says that nobody works in it.
	if (fs_remove_tree(p->work, NEW, err) < 0 || fs_remove_tree(p->work, OLD, err) < 0)
		return err_wrap(err, "build image '%s'", p->dir);
	if (mkdirat(p->work, NEW, 0700) < 0)
		return err_sys(err, errno, "build image '%s': write to '%s'", p->dir, p->path);
	fd = openat(p->work, NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 ? fd : err_sys(err, errno, "build image '%s'", p->dir);
}

// On a file system that knows no flags the target may be taken meanwhile by an empty directory.
static int rename_new(int from, const char *name, int to, const char *as)
{
	if (renameat2(from, name, to, as, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL ? renameat(from, name, to, as) : -1;
}

static int move(struct place *p, struct err *err)
{
	if (rename_new(p->work, NEW, p->parent, p->name) == 0)
		return 0;
	if (errno == EEXIST)
		return exists_error(p, err);
	return err_sys(err, errno, "move the image to '%s'", p->dir);
}

// Where the file system cannot exchange: in two steps.
static int replace(struct place *p, struct err *err)
{
	int r;

	if (rename_new(p->parent, p->name, p->work, OLD) < 0)
		return err_sys(err, errno, "replace '%s'", p->dir);
	r = check_image(p, p->work, OLD, err);
	if (r == 0)
		r = move(p, err);
	if (r < 0)
		rename_new(p->work, OLD, p->parent, p->name);
	return r < 0 ? r : fs_remove_tree(p->work, OLD, err);
}

int place_finish(struct place *p, struct err *err)
{
	if (!p->exists)
		return move(p, err);
	if (renameat2(p->work, NEW, p->parent, p->name, RENAME_EXCHANGE) < 0) {
		if (errno == EINVAL)
			return replace(p, err);
		return err_sys(err, errno, "replace '%s'", p->dir);
	}
	// What came out is looked at here, where nobody can exchange it any more.
	if (check_image(p, p->work, NEW, err) < 0) {
		renameat2(p->work, NEW, p->parent, p->name, RENAME_EXCHANGE);
		return -err->code;
	}
	return fs_remove_tree(p->work, NEW, err);
}

void place_done(struct place *p)
{
	struct err ignored;

	if (p->work >= 0) {
		fs_remove_tree(p->work, NEW, &ignored);
		scope_close(&p->work);
		// only an empty one
		unlinkat(p->parent, p->tmp, AT_REMOVEDIR);
	}
	scope_close(&p->parent);
	p->work = p->parent = -1;
}

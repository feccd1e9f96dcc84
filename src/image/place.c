// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/place.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "image/image.h"
#include "image/take.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

// Who lists images has the lock for a moment.
#define LOCK_MILLISECONDS 1000

const char *place_verb(const struct place *p)
{
	return str_eq(p->verb, "build") ? "replace" : p->verb;
}

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
static int check_image(const struct place *p, struct err *err)
{
	_cleanup_close_ int manifest = fs_open_below(p->old, IMAGE_MANIFEST, O_PATH, 0, false);

	if (manifest >= 0)
		return 0;
	return err_set(
		err,
		EEXIST,
		"%s '%s': it is not an image (it has no " IMAGE_MANIFEST
		"); remove it yourself, or choose another name",
		place_verb(p),
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
			err,
			EINVAL,
			"%s image '%.64s': not the name of an image's directory",
			p->verb,
			dir
		);
	snprintf(p->path, sizeof(p->path), "%.*s", base > 0 ? (int)base : 1, base > 0 ? dir : ".");
	snprintf(p->tmp, sizeof(p->tmp), ".%.*s.pinfold", NAME_MAX - 16, p->name);
	return 0;
}

static int open_parent(const char *dir, const char *verb, struct place *p, struct err *err)
{
	p->dir = dir;
	p->verb = verb;
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
		return err_sys(err, errno, "%s image '%s': open '%s'", verb, dir, p->path);
	return 0;
}

static bool is_there(const struct place *p, const char *name)
{
	return faccessat(p->parent, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
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
		"%s image '%s': '%s' in '%s' is not a directory of root's that is closed to "
		"others; remove it",
		p->verb,
		p->dir,
		p->tmp,
		p->path
	);
}

// The lock is one of what root alone can open: a directory that others can read they can lock too.
static int lock_work(struct place *p, struct err *err)
{
	for (unsigned i = 0; i < LOCK_MILLISECONDS / 10; i++) {
		if (mkdirat(p->parent, p->tmp, 0700) < 0 && errno != EEXIST)
			return err_sys(
				err, errno, "%s image '%s': write to '%s'", p->verb, p->dir, p->path
			);
		if (open_work(p, err) < 0)
			return -err->code;
		// who had it has removed it maybe
		if (flock(p->work, LOCK_EX | LOCK_NB) == 0
		    && take_is_at(p->work, p->parent, p->tmp))
			return 0;
		scope_close(&p->work);
		p->work = -1;
		nap_ms(10);
	}
	return err_set(
		err,
		EBUSY,
		"%s image '%s': another command builds or removes it; wait for that",
		p->verb,
		p->dir
	);
}

// The work directory, without what a build or a removal that was killed left: the lock says that nobody works in it.
static int begin_work(struct place *p, struct err *err)
{
	if (lock_work(p, err) < 0 || take_sweep(p, err) < 0)
		return -err->code;
	// from here on it is this one, whatever has its name
	p->old = openat(p->parent, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (p->old < 0 && errno != ENOENT)
		return err_sys(err, errno, "%s image '%s'", p->verb, p->dir);
	return 0;
}

int place_find(const char *dir, bool replace, struct place *p, struct err *err)
{
	if (open_parent(dir, "build", p, err) < 0)
		return -err->code;
	if (!replace && is_there(p, p->name))
		return exists_error(p, err);
	if (begin_work(p, err) < 0)
		return -err->code;
	if (p->old < 0)
		return 0;
	return replace ? check_image(p, err) : exists_error(p, err);
}

int place_find_old(const char *dir, struct place *p, struct err *err)
{
	if (open_parent(dir, "remove", p, err) < 0)
		return -err->code;
	if (!is_there(p, p->name) && !is_there(p, p->tmp))
		return err_set(
			err, ENOENT, "remove image '%s': there is none; see pinfold image list", dir
		);
	if (begin_work(p, err) < 0)
		return -err->code;
	return p->old >= 0 ? check_image(p, err) : 0;
}

int place_start(struct place *p, struct err *err)
{
	int fd;

	if (mkdirat(p->work, PLACE_MADE, 0700) < 0)
		return err_sys(err, errno, "build image '%s': write to '%s'", p->dir, p->path);
	fd = openat(p->work, PLACE_MADE, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 ? fd : err_sys(err, errno, "build image '%s'", p->dir);
}

int place_move(struct place *p, struct err *err)
{
	if (take_rename(p->work, PLACE_MADE, p->parent, p->name) == 0)
		return 0;
	if (errno == EEXIST)
		return exists_error(p, err);
	return err_sys(err, errno, "move the image to '%s'", p->dir);
}

int place_finish(struct place *p, const struct image_guard *guard, struct err *err)
{
	return p->old >= 0 ? take_away(p, guard, true, err) : place_move(p, err);
}

int place_remove(struct place *p, const struct image_guard *guard, struct err *err)
{
	if (p->old >= 0 && take_away(p, guard, false, err) < 0)
		return -err->code;
	if (unlinkat(p->parent, p->tmp, AT_REMOVEDIR) == 0 || errno != ENOTEMPTY)
		return 0;
	return err_set(
		err,
		ENOTEMPTY,
		"remove image '%s': what is in '%s' in '%s' had been put in an image's place; move "
		"it to where it belongs",
		p->dir,
		p->tmp,
		p->path
	);
}

bool place_is_work(const char *name, char ret[static NAME_MAX + 1])
{
	static const char end[] = ".pinfold";
	size_t n = strlen(name), m = strlen(end);

	if (name[0] != '.' || n <= m + 1 || !str_eq(name + n - m, end))
		return false;
	snprintf(ret, NAME_MAX + 1, "%.*s", (int)(n - m - 1), name + 1);
	return true;
}

void place_done(struct place *p)
{
	struct err ignored;

	if (p->work >= 0) {
		fs_remove_tree(p->work, PLACE_MADE, &ignored);
		// only an empty one, and not that of who waited for the lock
		if (take_is_at(p->work, p->parent, p->tmp))
			unlinkat(p->parent, p->tmp, AT_REMOVEDIR);
		scope_close(&p->work);
	}
	scope_close(&p->parent);
	scope_close(&p->old);
	p->work = p->parent = p->old = -1;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/take.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// In the work directory. Nothing of another name is removed there, should it be another directory.
#define OLD "image.old"	     // what was looked at, and is to be removed
#define KEPT "image.kept-%u" // what has come out, and is another
// What has come out and is not compared yet. The name says which inodes it may have, of the old image and of the new:
// a command that is killed here costs nobody's files.
#define OUT "image.out.%llu.%llu"

#define OUT_NAME 64

int take_rename(int from, const char *name, int to, const char *as)
{
	if (renameat2(from, name, to, as, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL ? renameat(from, name, to, as) : -1;
}

static bool exists(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool take_is_at(int fd, int dir, const char *name)
{
	struct stat st, there;

	return fd >= 0 && fstat(fd, &st) == 0
	       && fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == there.st_dev
	       && st.st_ino == there.st_ino;
}

static int drop(struct place *p, const char *out, struct err *err)
{
	if (renameat(p->work, out, p->work, OLD) < 0)
		return err_sys(err, errno, "remove '%s'", out);
	return fs_remove_tree(p->work, OLD, err);
}

// Nobody else makes names in the work directory.
static int keep(struct place *p, const char *out, char kept[static OUT_NAME], struct err *err)
{
	unsigned n = 1;

	do
		snprintf(kept, OUT_NAME, KEPT, n++);
	while (exists(p->work, kept));
	if (renameat(p->work, out, p->work, kept) < 0)
		return err_sys(err, errno, "keep '%s'", out);
	return 0;
}

int take_sweep(struct place *p, struct err *err)
{
	_cleanup_closedir_ DIR *d = dir_open(p->work, ".", 0);
	struct dirent *e;
	struct stat work;
	int r = 0;

	if (fstat(p->work, &work) < 0)
		return err_sys(err, errno, "%s image '%s'", p->verb, p->dir);
	while (r == 0 && (e = dir_next(d)) != NULL) {
		unsigned long long old, new;
		char kept[OUT_NAME];
		struct stat st;

		if (sscanf(e->d_name, OUT, &old, &new) != 2
		    || fstatat(p->work, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		r = st.st_dev == work.st_dev && (st.st_ino == old || st.st_ino == new)
			    ? drop(p, e->d_name, err)
			    : keep(p, e->d_name, kept, err);
	}
	if (r < 0 || fs_remove_tree(p->work, PLACE_MADE, err) < 0
	    || fs_remove_tree(p->work, OLD, err) < 0)
		return err_wrap(err, "%s image '%s'", p->verb, p->dir);
	return 0;
}

// Returns 1 when the new image is there now instead, and 0 when nothing is.
static int take_out(struct place *p, const char *out, bool replace, struct err *err)
{
	if (replace && renameat(p->work, PLACE_MADE, p->work, out) == 0) {
		int error;

		if (renameat2(p->work, out, p->parent, p->name, RENAME_EXCHANGE) == 0)
			return 1;
		error = errno;
		renameat(p->work, out, p->work, PLACE_MADE);
		// a file system that cannot: in two steps
		if (error != EINVAL)
			return err_sys(err, error, "replace '%s'", p->dir);
	}
	if (take_rename(p->parent, p->name, p->work, out) < 0)
		return err_sys(err, errno, "move '%s' away", p->dir);
	return 0;
}

static int check_taken(struct place *p, const char *out, struct err *err)
{
	if (take_is_at(p->old, p->work, out))
		return 0;
	return err_set(
		err,
		EBUSY,
		"%s '%s': another has been put in its place meanwhile; look at it, and try again",
		place_verb(p),
		p->dir
	);
}

// After a failure, which err says. What is in the place by now may be anything again: so is what comes back.
static void put_back(struct place *p, const char *out, bool exchanged, int made, struct err *err)
{
	char kept[OUT_NAME], *why;
	struct err other;

	if (exchanged)
		renameat2(p->work, out, p->parent, p->name, RENAME_EXCHANGE);
	else
		take_rename(p->work, out, p->parent, p->name);
	if (!exists(p->work, out) || (take_is_at(made, p->work, out) && drop(p, out, &other) == 0)
	    || keep(p, out, kept, &other) < 0)
		return;
	why = strdup(err->msg);
	err_set(err,
		err->code,
		"%s; what was there is '%s/%s' in '%s' now: move it to where it belongs",
		why != NULL ? why : "it failed",
		p->tmp,
		kept,
		p->path);
	free(why);
}

// out: where it comes to.
static int exchange(
	struct place *p,
	const char *out,
	const struct image_guard *guard,
	bool replace,
	int made,
	struct err *err
)
{
	int r = take_out(p, out, replace, err);
	bool exchanged = r > 0;

	if (r < 0)
		return r;
	r = check_taken(p, out, err);
	if (r == 0 && guard != NULL && guard->again != NULL)
		r = guard->again(guard->arg, err);
	if (r == 0 && replace && !exchanged)
		r = place_move(p, err);
	if (r < 0)
		put_back(p, out, exchanged, made, err);
	return r;
}

int take_away(struct place *p, const struct image_guard *guard, bool replace, struct err *err)
{
	_cleanup_close_ int made =
		replace ? openat(p->work, PLACE_MADE, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct stat old, new = {0};
	char out[OUT_NAME];
	int r;

	if (fstat(p->old, &old) < 0 || (replace && fstat(made, &new) < 0))
		return err_sys(err, errno, "%s image '%s'", p->verb, p->dir);
	snprintf(
		out,
		sizeof(out),
		OUT,
		(unsigned long long)old.st_ino,
		(unsigned long long)new.st_ino
	);
	if (guard != NULL && guard->begin(guard->arg, p->dir, old.st_dev, old.st_ino, err) < 0)
		return -err->code;
	r = exchange(p, out, guard, replace, made, err);
	if (guard != NULL)
		guard->end(guard->arg);
	return r < 0 ? r : drop(p, out, err);
}

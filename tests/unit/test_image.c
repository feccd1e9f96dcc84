// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What somebody exchanges while an image is built: no other file is taken for one that was looked at, and
// nothing is written outside of the image.

#include "scratch.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "image/entries.h"
#include "image/image.h"
#include "image/ldconf.h"
#include "image/place.h"
#include "image/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(topfd, name, O_WRONLY | O_CREAT | O_EXCL, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static char *path_of(const char *name)
{
	char *path = str_printf("%s/%s", top, name);

	assert_non_null(path);
	return path;
}

static void takes_what_was_looked_at(void **)
{
	_cleanup_entries_ struct entries s = {0};
	_cleanup_free_ char *path = path_of("file");
	_cleanup_close_ int fd = -1;
	struct err err;
	size_t i = 99;

	put("file", "one");
	put("other", "two");
	assert_ok(entries_take(&s, path, TAKE_NAMED, NULL, &i, &err), &err);
	assert_string_equal(s.v[i].path, path);
	assert_int_equal(s.v[i].bytes, 3);
	fd = entries_open(&s.v[i], &err);
	assert_true(fd >= 0);
	assert_ok(entries_check(&s.v[i], fd, &err), &err);
	// another file in its place
	assert_int_equal(renameat(topfd, "other", topfd, "file"), 0);
	assert_fails(entries_open(&s.v[i], &err), &err, "changed while the image was built");
	assert_fails(entries_check(&s.v[i], fd, &err), &err, "changed");
	assert_fails(entries_take(&s, path, TAKE_NAMED, NULL, &i, &err), &err, "changed");
	// a link in its place
	assert_int_equal(renameat(topfd, "file", topfd, "other"), 0);
	assert_int_equal(symlinkat("other", topfd, "file"), 0);
	assert_fails(entries_open(&s.v[i], &err), &err, "changed");
	assert_fails(entries_take(&s, path, TAKE_NAMED, NULL, &i, &err), &err, "changed");
}

static void keeps_links_on_the_way(void **)
{
	_cleanup_entries_ struct entries s = {0};
	_cleanup_free_ char *path = path_of("a/../to/b/link"), *real = path_of("b/file");
	_cleanup_free_ char *link = path_of("b/link"), *to = path_of("to");
	struct err err;
	size_t i = 99;

	assert_int_equal(mkdirat(topfd, "a", 0755), 0);
	assert_int_equal(mkdirat(topfd, "b", 0755), 0);
	put("b/file", "x");
	assert_int_equal(symlinkat("./file", topfd, "b/link"), 0);
	assert_int_equal(symlinkat(top, topfd, "to"), 0);
	assert_ok(entries_take(&s, path, TAKE_NAMED, NULL, &i, &err), &err);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.v[i].path, real);
	assert_null(s.v[i].link);
	assert_string_equal(entries_find(&s, link)->link, "./file");
	assert_string_equal(entries_find(&s, to)->link, top);
}

// The path of a file went through a directory that was a link for the one before.
static void writes_through_no_link(void **)
{
	_cleanup_entries_ struct entries s = {0};
	_cleanup_ldconf_ struct ldconf conf = {0};
	_cleanup_close_ int root = -1;
	_cleanup_free_ char *outside = path_of("outside"), *file = path_of("way/file");
	_cleanup_free_ char *way = path_of("way");
	struct err err;
	struct stat st;

	if (geteuid() != 0)
		skip_because("files of an image belong to root: needs root");
	for (size_t i = 0; i < 3; i++) {
		static const char *const dirs[] = {"outside", "way", "image"};

		assert_int_equal(mkdirat(topfd, dirs[i], 0755), 0);
	}
	put("way/file", "evil");
	assert_ok(entries_link(&s, way, outside, &err), &err);
	assert_ok(entries_take(&s, file, TAKE_NAMED, NULL, NULL, &err), &err);
	entries_sort(&s);
	root = openat(topfd, "image", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_fails(tree_write(root, &s, &conf, &err), &err, "way");
	assert_int_equal(fstatat(topfd, "outside/file", &st, 0), -1);
	assert_int_equal(errno, ENOENT);
}

static void make_image(const char *dir)
{
	_cleanup_free_ char *etc = str_printf("%s/etc", dir);
	_cleanup_free_ char *manifest = str_printf("%s/" IMAGE_MANIFEST, dir);

	assert_int_equal(mkdirat(topfd, dir, 0755), 0);
	assert_int_equal(mkdirat(topfd, etc, 0755), 0);
	put(manifest, "{}");
}

static bool there(const char *name)
{
	return faccessat(topfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct user {
	dev_t dev;
	ino_t ino;
	unsigned begun, ended;
};

static int refuse_used(void *arg, const char *dir, dev_t dev, ino_t ino, struct err *err)
{
	struct user *u = arg;

	u->begun++;
	if (dev == u->dev && ino == u->ino)
		return err_set(err, EBUSY, "'%s' is used", dir);
	return 0;
}

static void end_look(void *arg)
{
	((struct user *)arg)->ended++;
}

static void removes_what_nobody_uses(void **)
{
	_cleanup_free_ char *x = path_of("x"), *y = path_of("y/"), *mine = path_of("mine");
	struct user user = {0};
	const struct image_guard guard = {refuse_used, NULL, end_look, &user};
	struct stat st;
	struct err err;

	if (geteuid() != 0)
		skip_because("files of an image belong to root: needs root");
	make_image("x");
	make_image("y");
	assert_int_equal(fstatat(topfd, "x", &st, 0), 0);
	user.dev = st.st_dev;
	user.ino = st.st_ino;
	assert_fails(image_remove(x, &guard, &err), &err, "x' is used");
	assert_true(there("x/" IMAGE_MANIFEST) && !there(".x.pinfold"));
	assert_int_equal(user.ended, 0);
	assert_ok(image_remove(y, &guard, &err), &err);
	assert_false(there("y") || there(".y.pinfold"));
	assert_int_equal(user.begun, 2);
	assert_int_equal(user.ended, 1);
	// what has its path now is another
	assert_int_equal(renameat(topfd, "x", topfd, "former"), 0);
	make_image("x");
	assert_ok(image_remove(x, &guard, &err), &err);
	assert_true(there("former") && !there("x"));
	assert_fails(image_remove(x, &guard, &err), &err, "there is none; see pinfold image list");
	// and only images go
	assert_int_equal(mkdirat(topfd, "mine", 0755), 0);
	assert_fails(image_remove(mine, &guard, &err), &err, "mine': it is not an image");
	assert_true(there("mine") && !there(".mine.pinfold"));
}

static int count_name(const char *name, void *arg)
{
	assert_string_equal(name, "x");
	++*(unsigned *)arg;
	return 0;
}

static void sweeps_what_was_left(void **)
{
	static const char *const left[] = {".x.pinfold/image.new", ".x.pinfold/image.old"};
	_cleanup_free_ char *x = path_of("x");
	_cleanup_close_ int lock = -1;
	struct err err;
	unsigned n = 0;

	if (geteuid() != 0)
		skip_because("files of an image belong to root: needs root");
	for (size_t i = 0; i < 2 * ARRAY_LEN(left); i++) {
		if (i < ARRAY_LEN(left))
			make_image("x");
		assert_int_equal(mkdirat(topfd, ".x.pinfold", 0700), 0);
		make_image(left[i % ARRAY_LEN(left)]);
		image_leftovers(top, count_name, &n);
		assert_int_equal(n, i + 1);
		assert_ok(image_remove(x, NULL, &err), &err);
		assert_false(there("x") || there(".x.pinfold"));
	}
	// while somebody builds, nothing is left
	assert_int_equal(mkdirat(topfd, ".x.pinfold", 0700), 0);
	lock = openat(topfd, ".x.pinfold", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	image_leftovers(top, count_name, &n);
	assert_int_equal(n, 4);
	assert_fails(image_remove(x, NULL, &err), &err, "another command builds or removes it");
}

static int replace_x(const char *x, const struct image_guard *guard, struct err *err)
{
	scope_cleanup(place_done) struct place p = PLACE_NEW;
	_cleanup_close_ int root = -1;

	assert_ok(place_find(x, true, &p, err), err);
	root = place_start(&p, err);
	assert_true(root >= 0);
	assert_int_equal(mkdirat(root, "new", 0755), 0);
	return place_finish(&p, guard, err);
}

// What others can open they can lock: nobody is kept waiting by that.
static void waits_for_no_strangers_lock(void **)
{
	_cleanup_close_ int lock = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *x = path_of("x");
	struct err err;

	if (geteuid() != 0)
		skip_because("files of an image belong to root: needs root");
	assert_int_equal(flock(lock, LOCK_EX), 0);
	make_image("x");
	assert_ok(replace_x(x, NULL, &err), &err);
	make_image("y");
	assert_int_equal(renameat(topfd, "x", topfd, "z"), 0);
	assert_int_equal(renameat(topfd, "y", topfd, "x"), 0);
	assert_ok(image_remove(x, NULL, &err), &err);
	assert_true(there("z/new") && !there("x") && !there(".x.pinfold"));
}

static int begin_nothing(void *, const char *, dev_t, ino_t, struct err *)
{
	return 0;
}

static int used_by_now(void *arg, struct err *err)
{
	bool *away = arg;

	*away = !there("x/" IMAGE_MANIFEST);
	return err_set(err, EBUSY, "used by now");
}

static void end_nothing(void *)
{
}

// Who began to use it just before it was away is heard, and it is put back.
static void asks_again_when_it_is_away(void **)
{
	_cleanup_free_ char *x = path_of("x");
	bool away = false;
	const struct image_guard guard = {begin_nothing, used_by_now, end_nothing, &away};
	struct err err;

	if (geteuid() != 0)
		skip_because("files of an image belong to root: needs root");
	make_image("x");
	assert_fails(image_remove(x, &guard, &err), &err, "used by now");
	assert_true(away && there("x/" IMAGE_MANIFEST) && !there(".x.pinfold"));
	away = false;
	assert_fails(replace_x(x, &guard, &err), &err, "used by now");
	assert_true(away && there("x/" IMAGE_MANIFEST) && !there(".x.pinfold"));
}

// Who may rename in the directory above does so once it has been looked at.
struct trick {
	const char *put;       // comes to x
	void *(*then)(void *); // and this is done, as soon as that is away
	pthread_t thread;
};

static atomic_bool spins, over;

static void *make_x(void *)
{
	spins = true;
	while (!over && mkdirat(topfd, "x", 0755) < 0)
		;
	return NULL;
}

static void *take_new_x(void *)
{
	spins = true;
	while (!over && (there("x/file") || renameat(topfd, "x", topfd, "taken") < 0))
		;
	return NULL;
}

static int exchange_x(void *arg, const char *, dev_t, ino_t, struct err *)
{
	struct trick *t = arg;

	assert_int_equal(renameat(topfd, "x", topfd, "away"), 0);
	assert_int_equal(renameat(topfd, t->put, topfd, "x"), 0);
	if (t->then == NULL)
		return 0;
	spins = over = false;
	assert_int_equal(pthread_create(&t->thread, NULL, t->then, NULL), 0);
	while (!spins)
		sched_yield();
	return 0;
}

static void end_trick(void *arg)
{
	struct trick *t = arg;

	over = true;
	if (t->then != NULL)
		assert_int_equal(pthread_join(t->thread, NULL), 0);
}

static void put_precious(void)
{
	assert_int_equal(mkdirat(topfd, "precious", 0755), 0);
	put("precious/file", "precious");
}

// What was put in an image's place is not the image: it is put back.
static void removes_what_was_looked_at(void **)
{
	_cleanup_free_ char *x = path_of("x");
	struct trick t = {"used"};
	const struct image_guard guard = {exchange_x, NULL, end_trick, &t};
	struct err err;

	if (geteuid() != 0)
		skip_because("files of an image belong to root: needs root");
	make_image("x");
	make_image("used");
	put("used/mark", "");
	assert_fails(image_remove(x, &guard, &err), &err, "x': another has been put in its place");
	assert_true(there("x/mark") && there("away") && !there(".x.pinfold"));
	t.put = "precious";
	put_precious();
	assert_int_equal(renameat(topfd, "x", topfd, "used"), 0);
	assert_int_equal(renameat(topfd, "away", topfd, "x"), 0);
	assert_fails(image_remove(x, &guard, &err), &err, "x': another has been put in its place");
	assert_true(there("x/file") && !there(".x.pinfold"));
}

// Or kept, where it cannot be.
static void keeps_what_cannot_be_put_back(void **)
{
	static const char kept[] = ".x.pinfold/image.kept-1/file";
	_cleanup_free_ char *x = path_of("x");
	struct trick t = {"precious", make_x};
	const struct image_guard guard = {exchange_x, NULL, end_trick, &t};
	struct err err;

	if (geteuid() != 0)
		skip_because("files of an image belong to root: needs root");
	put_precious();
	for (unsigned i = 0; i < 100 && !there(kept); i++) {
		make_image("x");
		assert_true(image_remove(x, &guard, &err) < 0);
		assert_true(there("x/file") || there(kept));
		if (there("x/file"))
			assert_int_equal(renameat(topfd, "x", topfd, "precious"), 0);
		unlinkat(topfd, "x", AT_REMOVEDIR);
		assert_int_equal(fs_remove_tree(topfd, "away", &err), 0);
	}
	if (!there(kept)) {
		scope_free(&x); // nothing comes back from there
		skip_because("the other thread never was fast enough");
	}
	assert_non_null(strstr(err.msg, "'.x.pinfold/image.kept-1' in '"));
	// whatever is done with the name afterwards
	make_image("x");
	assert_fails(image_remove(x, NULL, &err), &err, "had been put in an image's place");
	assert_fails(image_remove(x, NULL, &err), &err, "move it to where it belongs");
	assert_true(there(kept) && !there("x"));
}

static void replaces_what_was_looked_at(void **)
{
	static const char kept[] = ".x.pinfold/image.kept-1/file";
	_cleanup_free_ char *x = path_of("x");
	struct trick t = {"precious"};
	const struct image_guard guard = {exchange_x, NULL, end_trick, &t};
	struct err err;

	if (geteuid() != 0)
		skip_because("files of an image belong to root: needs root");
	put_precious();
	for (unsigned i = 0; i < 100 && !there(kept); i++) {
		make_image("x");
		assert_fails(replace_x(x, &guard, &err), &err, "replace '");
		// it was put back just before that
		if (there("taken/file"))
			assert_int_equal(renameat(topfd, "taken", topfd, "x"), 0);
		assert_true(there("x/file") || there(kept));
		if (i == 0)
			assert_true(there("x/file") && !there(".x.pinfold"));
		if (there("x/file"))
			assert_int_equal(renameat(topfd, "x", topfd, "precious"), 0);
		assert_int_equal(fs_remove_tree(topfd, "away", &err), 0);
		assert_int_equal(fs_remove_tree(topfd, "taken", &err), 0);
		t.then = take_new_x;
	}
	if (!there(kept)) {
		scope_free(&x); // nothing comes back from there
		skip_because("the other thread never was fast enough");
	}
	make_image("x");
	assert_ok(replace_x(x, NULL, &err), &err);
	assert_true(there(kept) && there("x/new"));
}

// A removal that was killed before it had compared.
static void sweeps_what_it_knows(void **)
{
	_cleanup_free_ char *x = path_of("x"), *out = NULL;
	struct err err;
	struct stat st;

	if (geteuid() != 0)
		skip_because("files of an image belong to root: needs root");
	assert_int_equal(mkdirat(topfd, ".x.pinfold", 0700), 0);
	make_image(".x.pinfold/image");
	assert_int_equal(fstatat(topfd, ".x.pinfold/image", &st, 0), 0);
	out = str_printf(".x.pinfold/image.out.%ju.0", (uintmax_t)st.st_ino);
	assert_int_equal(renameat(topfd, ".x.pinfold/image", topfd, out), 0);
	assert_ok(image_remove(x, NULL, &err), &err);
	assert_false(there(".x.pinfold"));
	assert_int_equal(mkdirat(topfd, ".x.pinfold", 0700), 0);
	put_precious();
	assert_int_equal(renameat(topfd, "precious", topfd, ".x.pinfold/image.out.1.0"), 0);
	assert_fails(image_remove(x, NULL, &err), &err, "had been put in an image's place");
	assert_true(there(".x.pinfold/image.kept-1/file"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(takes_what_was_looked_at),
		T(keeps_links_on_the_way),
		T(writes_through_no_link),
		T(removes_what_nobody_uses),
		T(sweeps_what_was_left),
		T(waits_for_no_strangers_lock),
		T(asks_again_when_it_is_away),
		T(removes_what_was_looked_at),
		T(keeps_what_cannot_be_put_back),
		T(replaces_what_was_looked_at),
		T(sweeps_what_it_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

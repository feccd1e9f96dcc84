// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "scratch.h"

#include "unix.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

static int connect_to(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return unix_connect(path, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

static void listens_beside_another(void **)
{
	char name[UNIX_NAME], second[UNIX_NAME];
	_cleanup_close_ int a = -1, b = -1, c = -1;
	struct stat st;
	struct err err;

	a = unix_listen(topfd, "x.sock", name, &err);
	assert_true(a >= 0);
	assert_string_equal(name, "x.sock");
	assert_int_equal(fstatat(topfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	b = unix_listen(topfd, "x.sock", second, &err);
	assert_true(b >= 0);
	assert_string_equal(second, "x.sock:1");
	c = connect_to(second);
	assert_true(c >= 0);
}

static void replaces_what_was_left(void **)
{
	char name[UNIX_NAME];
	_cleanup_close_ int again = -1, c = -1;
	struct err err;
	int fd = unix_listen(topfd, "x.sock", name, &err);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(connect_to("x.sock"), -1);
	assert_int_equal(errno, ECONNREFUSED);
	again = unix_listen(topfd, "x.sock", name, &err);
	assert_true(again >= 0);
	assert_string_equal(name, "x.sock");
	c = connect_to("x.sock");
	assert_true(c >= 0);
}

// What is no socket of ours is not removed.
static void leaves_others_alone(void **)
{
	_cleanup_close_ int file = openat(topfd, "x.sock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_close_ int fd = -1, none = -1;
	char name[UNIX_NAME];
	struct stat st;
	struct err err;

	assert_true(file >= 0);
	fd = unix_listen(topfd, "x.sock", name, &err);
	assert_true(fd >= 0);
	assert_string_equal(name, "x.sock:1");
	assert_int_equal(fstatat(topfd, "x.sock", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	none = connect_to("none");
	assert_int_equal(none, -1);
	assert_int_equal(errno, ENOENT);
}

// Who can read the directory can lock it, for as long as he likes.
static void waits_for_no_strangers_lock(void **)
{
	_cleanup_close_ int lock = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	char name[UNIX_NAME];
	struct err err;

	assert_int_equal(flock(lock, LOCK_EX), 0);
	alarm(20);
	fd = unix_listen(topfd, "x.sock", name, &err);
	alarm(0);
	assert_true(fd >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(listens_beside_another, setup, teardown),
		cmocka_unit_test_setup_teardown(replaces_what_was_left, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_others_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_no_strangers_lock, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

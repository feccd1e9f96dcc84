// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "scratch.h"

#include "base/dir.h"

#include <errno.h>
#include <sys/stat.h>

static void lists(void **)
{
	_cleanup_closedir_ DIR *d = NULL;
	unsigned seen = 0;
	struct dirent *e;

	assert_int_equal(mkdirat(topfd, "one", 0700), 0);
	assert_int_equal(mkdirat(topfd, ".two", 0700), 0);
	d = dir_open(topfd, ".", 0);
	while ((e = dir_next(d)) != NULL) {
		assert_true(strcmp(e->d_name, "one") == 0 || strcmp(e->d_name, ".two") == 0);
		seen++;
	}
	assert_int_equal(errno, 0);
	assert_int_equal(seen, 2);
}

static void is_none(void **)
{
	assert_null(dir_open(topfd, "none", 0));
	assert_int_equal(errno, ENOENT);
	assert_null(dir_next(NULL));
	assert_int_equal(symlinkat(".", topfd, "link"), 0);
	assert_null(dir_open(topfd, "link", O_NOFOLLOW));
}

// What cannot be listed is closed all the same.
static void closes_what_is_no_directory(void **)
{
	int fd = openat(topfd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_null(dir_take(fd));
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_null(dir_take(-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists, setup, teardown),
		cmocka_unit_test_setup_teardown(is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(closes_what_is_no_directory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

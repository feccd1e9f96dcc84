// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Files of programs that a benchmark starts: what they say is bounded where it comes from elsewhere, and the directory
// that one was killed in goes with the next.

#include "scratch.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/child.h"
#include "bench/work_dir.h"

#include <sys/stat.h>
#include <unistd.h>

#define BOUND (16 << 20)

static void what_others_say_is_bounded(void **)
{
	static const char *const argv[] = {"head", "-c", "20M", "/dev/zero", NULL};
	_cleanup_free_ char *log = str_printf("%s/log", top);
	struct bench b = {0};
	struct child_how how = {.argv = argv, .log = log, .bounded = true};
	struct stat st;
	struct err err;

	assert_fails(child_run(&b, &how, 20000, 0, NULL, NULL, &err), &err, "head");
	assert_return_code(stat(log, &st), errno);
	assert_int_equal(st.st_size, BOUND);
	children_stop(&b);
	free(b.children);
}

static void last_line_of_a_long_log(void **)
{
	static const char words[] = "\n\nthe \033reason\n \n";
	_cleanup_free_ char *log = str_printf("%s/log", top);
	_cleanup_close_ int fd = open(log, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char line[64];

	assert_return_code(ftruncate(fd, 2 * BOUND), errno);
	assert_int_equal(pwrite(fd, words, strlen(words), 2 * BOUND), strlen(words));
	child_last_line(log, line, sizeof(line));
	assert_string_equal(line, "the  reason");
	child_last_line("/nonexistent", line, sizeof(line));
	assert_string_equal(line, "");
	child_last_line(NULL, line, sizeof(line));
	assert_string_equal(line, "");
}

static bool there(const char *name)
{
	return faccessat(topfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void what_was_left_goes(void **)
{
	struct work_dir one, two;
	struct err err;

	setenv("TMPDIR", top, 1);
	assert_ok(work_dir_make(&one, &err), &err);
	// one that was killed, one by somebody else's name, a link, another's
	assert_return_code(mkdirat(topfd, "pinfold-bench.killed", 0700), errno);
	assert_return_code(mkdirat(topfd, "pinfold-bench.killed/below", 0700), errno);
	assert_return_code(mkdirat(topfd, "mine", 0700), errno);
	assert_return_code(mkdirat(topfd, "mine/below", 0700), errno);
	assert_return_code(symlinkat("mine", topfd, "pinfold-bench.link"), errno);
	if (geteuid() == 0) {
		assert_return_code(mkdirat(topfd, "pinfold-bench.other", 0700), errno);
		assert_return_code(fchownat(topfd, "pinfold-bench.other", 1, 1, 0), errno);
	}
	assert_ok(work_dir_make(&two, &err), &err);
	assert_false(there("pinfold-bench.killed"));
	assert_true(there("mine/below") && there("pinfold-bench.link"));
	assert_int_equal(there("pinfold-bench.other"), geteuid() == 0);
	assert_int_equal(access(one.path, F_OK), 0);
	assert_string_not_equal(one.path, two.path);
	// wherever files go by now
	setenv("TMPDIR", "/", 1);
	for (int i = 0; i < 2; i++) {
		struct work_dir *w = i == 0 ? &one : &two;
		_cleanup_free_ char *path = strdup(w->path);

		work_dir_remove(w);
		assert_int_not_equal(access(path, F_OK), 0);
		work_dir_remove(w);
	}
	unsetenv("TMPDIR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_others_say_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(last_line_of_a_long_log, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_left_goes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

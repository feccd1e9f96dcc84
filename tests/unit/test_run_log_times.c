// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// When what is in a log was written: whose it is, how far off it may be, and how large.

#include "unit.h"

#include "scratch.h"

#include "base/scope.h"
#include "run/log_times.h"

#include <sys/stat.h>

#define START INT64_C(1795910400000)

static int file(const char *name)
{
	int fd = openat(topfd, name, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void say(int times, int log, int64_t ms, const char *text)
{
	times_stamp(times, log, ms);
	assert_int_equal(write(log, text, strlen(text)), strlen(text));
}

static struct times read_all(int times, int log)
{
	struct times t;

	assert_int_equal(times_read(times, log, &t), 0);
	return t;
}

static void test_offsets(void **)
{
	_cleanup_close_ int log = file("a.log"), times = times_make(topfd, "a.log", log);
	scope_cleanup(times_free) struct times t = {0};

	say(times, log, START, "one\n");	  // 0
	say(times, log, START + 5, "two\n");	  // 4: the same hundredth
	say(times, log, START + 10, "three\n");	  // 8
	say(times, log, START + 60000, "four\n"); // 14
	t = read_all(times, log);
	assert_int_equal(t.n, 3);
	assert_int_equal(times_of(&t, 0), START);
	assert_int_equal(times_of(&t, 7), START);
	assert_int_equal(times_of(&t, 8), START + 10);
	assert_int_equal(times_of(&t, 13), START + 10);
	assert_int_equal(times_of(&t, 1000), START + 60000);
	assert_int_equal(times_since(&t, 0, 19), 0);
	assert_int_equal(times_since(&t, START + 11, 19), 8);
	assert_int_equal(times_since(&t, START + 20, 19), 14);
	assert_int_equal(times_since(&t, START + 60010, 19), 19);
}

// Before the first stamp there is none: a log that was begun without.
static void test_unknown(void **)
{
	_cleanup_close_ int log = file("b.log"), times = -1;
	scope_cleanup(times_free) struct times t = {0};

	assert_int_equal(write(log, "old\n", 4), 4);
	times = times_make(topfd, "b.log", log);
	say(times, log, START, "new\n");
	t = read_all(times, log);
	assert_int_equal(times_of(&t, 3), -1);
	assert_int_equal(times_of(&t, 4), START);
	assert_int_equal(times_since(&t, 0, 8), 4);
}

// They are found under either name, and taken for those of no other log.
static void test_whose(void **)
{
	_cleanup_close_ int log = file("c.log"), other = file("d.log");
	_cleanup_close_ int times = times_make(topfd, "c.log", log), found = -1;
	struct times t;

	say(times, log, START, "one\n");
	assert_int_equal(times_read(times, other, &t), -1);
	assert_int_equal(times_read(-1, log, &t), -1);
	assert_int_equal(times_open(topfd, "d.log", other, O_RDONLY), -1);
	assert_int_equal(renameat(topfd, "c.log.times", topfd, "c.log.1.times"), 0);
	assert_int_equal(times_open(topfd, "c.log", other, O_RDONLY), -1);
	found = times_open(topfd, "c.log", log, O_RDONLY);
	assert_true(found >= 0);
	times_stamp(times, other, START); // would be a lie
	t = read_all(found, log);
	assert_int_equal(t.n, 1);
	times_free(&t);
	assert_int_equal(symlinkat("c.log.1.times", topfd, "c.log.times"), 0);
	assert_int_equal(unlinkat(topfd, "c.log.1.times", 0), 0);
	assert_int_equal(times_open(topfd, "c.log", log, O_RDONLY), -1);
}

// Not a record: a piece of one, and numbers of nonsense.
static void test_broken(void **)
{
	_cleanup_close_ int log = file("e.log"), times = times_make(topfd, "e.log", log);
	struct times t;
	uint64_t word = UINT64_MAX;

	assert_int_equal(pwrite(times, &word, 5, 8), 5);
	t = read_all(times, log);
	assert_int_equal(t.n, 0);
	assert_int_equal(times_of(&t, 0), -1);
	times_free(&t);
	say(times, log, START, "one\n");
	t = read_all(times, log);
	assert_int_equal(t.n, 1);
	assert_int_equal(times_of(&t, 0), START);
	times_free(&t);
	times_clear(times);
	assert_int_equal(times_of(&(struct times){0}, 0), -1);
	assert_int_equal(ftruncate(times, 3), 0);
	assert_int_equal(times_read(times, log, &t), -1);
	times_stamp(times, log, START);
	assert_int_equal(times_read(times, log, &t), -1);
}

// A byte each second, for as long as a file of the log lasts.
static void test_bounded(void **)
{
	_cleanup_close_ int log = file("f.log"), times = times_make(topfd, "f.log", log);
	const off_t bytes = 3 * TIMES_MAX;
	const int64_t span = bytes * 1000;
	struct times t;
	struct stat st;

	for (off_t i = 0; i < bytes; i++) {
		times_stamp(times, log, START + i * 1000);
		assert_int_equal(ftruncate(log, i + 1), 0);
	}
	assert_int_equal(fstat(times, &st), 0);
	assert_true(st.st_size <= (off_t)(TIMES_MAX + 1) * 8);
	t = read_all(times, log);
	assert_true(t.n > TIMES_MAX / 4);
	for (off_t i = 0; i < bytes; i++) {
		int64_t real = START + i * 1000, said = times_of(&t, i);

		assert_true(said <= real && real - said <= span / (TIMES_MAX / 4));
	}
	times_free(&t);
}

// A clock that is set back and forth makes no more of them, and no endless work.
static void test_clock(void **)
{
	_cleanup_close_ int log = file("g.log"), times = times_make(topfd, "g.log", log);
	struct stat st;

	for (off_t i = 0; i < (off_t)TIMES_MAX * 2; i++) {
		times_stamp(times, log, i % 2 != 0 ? START : START / 2);
		assert_int_equal(ftruncate(log, i + 1), 0);
	}
	times_stamp(times, log, -1);
	assert_int_equal(fstat(times, &st), 0);
	assert_true(st.st_size <= (off_t)(TIMES_MAX + 1) * 8);
}

static void test_moved_on(void **)
{
	_cleanup_close_ int log = file("h.log"), old = file("h.log.1");
	_cleanup_close_ int times = times_make(topfd, "h.log", log);
	_cleanup_close_ int old_times = times_make(topfd, "h.log.1", old);
	struct times t;

	say(old_times, old, START, "a\n");
	say(old_times, old, START + 1000, "b\n");
	say(times, log, START + 2000, "c\n");
	times_copy(times, old_times);
	times_clear(times);
	t = read_all(old_times, old);
	assert_int_equal(t.n, 1);
	assert_int_equal(times_of(&t, 0), START + 2000);
	times_free(&t);
	t = read_all(times, log);
	assert_int_equal(t.n, 0);
	times_free(&t);
	times_clear(-1);
	times_copy(-1, old_times);
	times_stamp(-1, log, START);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_moved_on),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

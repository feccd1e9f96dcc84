// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The rate of a log: what is said after days of silence is written at once; and its size, whoever writes there.

#include "scratch.h"

#include "base/clock.h"
#include "base/scope.h"
#include "run/log.h"
#include "run/say.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY (24 * 3600 * INT64_C(1000000000))

static size_t written;

static void put(void *arg, const char *data, size_t len)
{
	(void)arg;
	(void)data;
	written += len;
}

static void say(struct log_flow *f, size_t len)
{
	memset(f->data, 'x', len);
	f->first = 0;
	f->len = len;
}

static void test_after_silence(void **)
{
	static const int days[] = {1, 7, 14, 400};
	static struct log_flow f;

	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		log_flow_begin(&f, LOG_RATE);
		f.room = 0;
		f.at = clock_ns() - days[i] * DAY;
		written = 0;
		say(&f, LOG_FLOW);
		log_flow_write(&f, put, NULL);
		assert_int_equal(written, LOG_FLOW);
		// no more than a burst was saved up
		assert_true(f.room > 0 && f.room < 4 * LOG_RATE);
	}
}

static void test_rate(void **)
{
	static struct log_flow f;

	log_flow_begin(&f, LOG_RATE);
	f.room = 0;
	written = 0;
	say(&f, LOG_FLOW);
	log_flow_write(&f, put, NULL);
	assert_int_equal(written, 0);
	log_flow_finish(&f, put, NULL); // a sixteenth of a second
	assert_int_equal(written, LOG_FLOW);
}

static off_t size_of(const char *file)
{
	struct stat st;

	return fstatat(topfd, file, &st, 0) == 0 ? st.st_size : -1;
}

// A word each ten seconds, for months: no more than the file is to have, and what the program says then finds room.
static void test_words_of_pinfolds_own(void **)
{
	static const char line[] = "it was refused new processes: the grant has 8; "
				   "see pinfold update --pids, a line of some hundred bytes";
	struct log log = LOG_NONE;
	int fds[2];

	log.dir = dup(topfd);
	log.name = str_printf("x.log");
	log.file = log_new_file(topfd, "x.log");
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	log.from = fds[0];
	log.to = fds[1];
	for (int i = 0; i < 100000; i++)
		say_in_log(topfd, "x", line);
	assert_in_range(size_of("x.log"), LOG_BYTES - 200, LOG_BYTES);
	assert_int_equal(write(log.to, "hello\n", 6), 6);
	close(steal_fd(&log.to));
	log_write(&log);
	assert_int_equal(size_of("x.log"), 6);
	assert_in_range(size_of("x.log.1"), LOG_BYTES - 200, LOG_BYTES);
	say_in_log(topfd, "x", line);
	assert_true(size_of("x.log") > 6);
	say_in_log(topfd, "none", line);
	assert_int_equal(size_of("none.log"), -1);
	log_close(&log);
}

// The program leaves room for a word.
static void test_room_for_words(void **)
{
	static char text[1 << 15];
	_cleanup_close_ int now = log_new_file(topfd, "y.log");
	_cleanup_close_ int before = log_new_file(topfd, "y.log.1");
	struct log_pair pair = {now, before, -1, -1, 0};

	for (int i = 0; i < 600; i++) {
		off_t size;

		log_append(&pair, text, sizeof(text));
		size = size_of("y.log");
		assert_true(size <= LOG_BYTES - LOG_WORDS);
		say_in_log(topfd, "y", "a word");
		assert_true(size_of("y.log") > size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_silence),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_words_of_pinfolds_own),
		cmocka_unit_test(test_room_for_words),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "scratch.h"

#include "base/clock.h"
#include "base/event_log.h"
#include "base/scope.h"
#include "base/str.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS 4
#define LINES 2500 // of each: three times what the two files hold

static char *text_of(const char *name)
{
	char *text = NULL;

	assert_int_equal(fs_read(topfd, name, EVENT_LOG_BYTES, &text, NULL), 0);
	return text;
}

static void tells(void **)
{
	_cleanup_free_ char *want = str_printf(" pinfold[%d]: 'a' has started\n", (int)getpid());
	_cleanup_free_ char *text = NULL;
	struct stat st;

	assert_int_equal(event_log_in(topfd, EVENT_LOG_NAME, "'a' has started"), 0);
	text = text_of(EVENT_LOG_NAME);
	assert_int_equal(strlen(text), strlen("2026-11-28T16:00:00Z") + strlen(want));
	assert_string_equal(strchr(text, ' '), want);
	assert_int_equal(fstatat(topfd, EVENT_LOG_NAME, &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
}

static void cuts_a_long_line(void **)
{
	_cleanup_free_ char *text = NULL;
	char line[4096];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(event_log_in(topfd, EVENT_LOG_NAME, line), 0);
	text = text_of(EVENT_LOG_NAME);
	assert_true(strlen(text) < 1000 && text[strlen(text) - 1] == '\n');
}

// Every line that is there is whole, whoever put the file aside meanwhile.
static void is_bounded(void **)
{
	static const char *const files[] = {EVENT_LOG_NAME, EVENT_LOG_NAME EVENT_LOG_FORMER};

	for (int i = 0; i < WRITERS; i++) {
		pid_t pid = fork();

		if (pid != 0)
			continue;
		for (int j = 0; j < LINES; j++)
			event_log_in(
				topfd,
				EVENT_LOG_NAME,
				"what somebody has to tell, a hundred bytes or so, with the rest "
				"of the line: end"
			);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_free_ char *text = text_of(files[i]);
		char *save = NULL;
		struct stat st;

		assert_int_equal(fstatat(topfd, files[i], &st, 0), 0);
		assert_true(st.st_size > 0 && st.st_size <= EVENT_LOG_BYTES);
		for (char *line = strtok_r(text, "\n", &save); line != NULL;
		     line = strtok_r(NULL, "\n", &save)) {
			assert_true(isdigit((unsigned char)line[0]));
			assert_string_equal(line + strlen(line) - strlen(": end"), ": end");
		}
	}
}

// However much of a user's there is.
static void keeps_what_is_of_others(void **)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct stat st;

	assert_int_equal(event_log_in(topfd, EVENT_LOG_NAME, "'a' has started"), 0);
	before = text_of(EVENT_LOG_NAME);
	for (int i = 0; i < 4 * LINES; i++)
		assert_int_equal(
			event_log_in(
				topfd,
				"log-1000",
				"a line of a hundred bytes, as a keeper that was taken over says it"
			),
			0
		);
	after = text_of(EVENT_LOG_NAME);
	assert_string_equal(before, after);
	assert_int_equal(fstatat(topfd, EVENT_LOG_NAME EVENT_LOG_FORMER, &st, 0), -1);
	assert_int_equal(fstatat(topfd, "log-1000" EVENT_LOG_FORMER, &st, 0), 0);
	assert_true(st.st_size <= EVENT_LOG_BYTES);
}

// Nothing is written through what somebody else could have put there.
static void follows_nothing(void **)
{
	struct stat st;

	assert_int_equal(symlinkat("target", topfd, EVENT_LOG_NAME), 0);
	assert_int_equal(event_log_in(topfd, EVENT_LOG_NAME, "x"), -1);
	assert_int_equal(fstatat(topfd, "target", &st, 0), -1);
	assert_int_equal(unlinkat(topfd, EVENT_LOG_NAME, 0), 0);

	assert_int_equal(mkfifoat(topfd, EVENT_LOG_NAME, 0600), 0);
	assert_int_equal(event_log_in(topfd, EVENT_LOG_NAME, "x"), -1);
	assert_int_equal(unlinkat(topfd, EVENT_LOG_NAME, 0), 0);

	close(openat(topfd, "other", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(linkat(topfd, "other", topfd, EVENT_LOG_NAME, 0), 0);
	assert_int_equal(event_log_in(topfd, EVENT_LOG_NAME, "x"), -1);
	assert_int_equal(fstatat(topfd, "other", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
}

static void waits_for_nobody(void **)
{
	_cleanup_close_ int fd =
		openat(topfd, EVENT_LOG_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int64_t begun = clock_ms();

	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(event_log_in(topfd, EVENT_LOG_NAME, "x"), -1);
	assert_true(clock_ms() - begun < 5000);
}

static void lives_with_a_full_disk(void **)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const struct rlimit none = {0, 0};

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &none);
		_exit(event_log_in(topfd, EVENT_LOG_NAME, "x") == -1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells, setup, teardown),
		cmocka_unit_test_setup_teardown(cuts_a_long_line, setup, teardown),
		cmocka_unit_test_setup_teardown(is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_what_is_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(follows_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(lives_with_a_full_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

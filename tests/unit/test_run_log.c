// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The rate of a log: what is said after days of silence is written at once.

#include "unit.h"

#include "base/clock.h"
#include "run/log.h"

#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_silence),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

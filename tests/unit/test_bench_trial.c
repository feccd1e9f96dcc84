// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/clock.h"
#include "bench/bench.h"
#include "bench/child.h"
#include "bench/open.h"
#include "bench/result.h"
#include "bench/trial.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

// What a trial does in an attempt.
struct script {
	unsigned calls, numbers[64], sides[64];
	unsigned disturbed; // attempts of side 1 that say they are invalid
	unsigned broken;    // attempts of side 1 that fail
	unsigned final;	    // attempts of side 1 that say that no other would be better
	unsigned still;	    // attempts in which this whole process stands still
	unsigned cancel_at; // the call that presses ctrl-C
};

// The whole process is stopped for so long, as by a machine below.
static void stand_still(unsigned ms)
{
	pid_t waker = fork();

	if (waker == 0) {
		nap_ms(ms);
		kill(getppid(), SIGCONT);
		_exit(0);
	}
	kill(getpid(), SIGSTOP);
	waitpid(waker, NULL, 0);
}

static int scripted(struct bench *, void *arg, struct trial *t, struct err *err)
{
	struct script *s = arg;

	s->numbers[s->calls] = t->number;
	s->sides[s->calls++] = t->side;
	t->value[0] = 10 * (t->side + 1) + t->round;
	if (s->calls == s->cancel_at)
		raise(SIGINT);
	if (t->side == 1 && s->broken > 0) {
		s->broken--;
		return err_set(err, EIO, "start 'x': no");
	}
	if (t->side == 1 && s->disturbed > 0) {
		s->disturbed--;
		trial_invalid(t, "the generator was %s", "late");
	}
	if (t->side == 1 && s->final > 0) {
		s->final--;
		trial_final(t, "it is above %u", 5);
	}
	if (s->still > 0) {
		s->still--;
		stand_still(60);
	}
	return 0;
}

static struct bench b;
static struct result r;
static struct series s;
static struct row *rows[2];

static int begin(void **)
{
	struct err err;

	assert_ok(bench_open(&b, BENCH_QUICK, &err), &err);
	s = (struct series){
		.what = "test",
		.side = {"one", "two"},
		.nsides = 2,
		.rounds = 4,
		.least = 1,
		.run = scripted,
	};
	for (unsigned i = 0; i < 2; i++)
		s.row[i][0] = rows[i] = result_measured(&r, s.side[i], &b.env[i], "ms");
	return 0;
}

static int end(void **)
{
	result_done(&r);
	bench_close(&b);
	return 0;
}

static struct series_report run(struct script *script)
{
	struct series_report rep;
	struct err err;

	s.arg = script;
	assert_ok(series_run(&b, &s, &rep, &err), &err);
	result_settle(&r);
	return rep;
}

static void turns_round(void **)
{
	static const unsigned order[] = {0, 1, 1, 0, 0, 1, 1, 0};
	struct script script = {0};
	struct series_report rep = run(&script);

	assert_int_equal(script.calls, 8);
	assert_memory_equal(script.sides, order, sizeof(order));
	assert_int_equal(rep.trials, 8);
	assert_int_equal(rep.repeated, 0);
	assert_int_equal(rows[1]->n, 4);
	assert_true(rows[1]->samples[3] == 23);
}

static void repeats_what_was_disturbed(void **)
{
	struct script script = {.disturbed = 2};
	struct series_report rep = run(&script);

	assert_int_equal(rep.repeated, 2);
	assert_int_equal(rep.invalid, 0);
	assert_int_equal(rows[1]->repeated, 2);
	assert_string_equal(rows[1]->repeated_why, "the generator was late");
	assert_true(rows[1]->samples[0] == 20);
	// each attempt has a number of its own, for names
	for (unsigned i = 1; i < script.calls; i++)
		assert_int_equal(script.numbers[i], script.numbers[i - 1] + 1);
}

static void gives_up_with_the_reason(void **)
{
	struct script script = {.disturbed = 3};
	struct row *never = result_measured(&r, "never", &b.env[1], "ms");
	struct series_report rep;
	const struct row *ratio;

	s.row[1][1] = never;
	rep = run(&script);
	// the reason of one round is not that of a value that no valid one has
	assert_string_equal(never->reason, "no trial gave a figure");

	assert_int_equal(rep.invalid, 1);
	assert_true(isnan(rows[1]->samples[0]));
	assert_true(rows[1]->samples[1] == 21);
	assert_false(rows[1]->invalid);
	ratio = result_ratio(&r, NULL, rows[1], rows[0]);
	assert_int_equal(ratio->value.n, 3);
}

static void leaves_out_a_side_that_fails(void **)
{
	struct script script = {.broken = 100};
	struct series_report rep = run(&script);
	struct row *ratio;

	// three attempts in two rounds
	assert_int_equal(rep.trials, 4 + 6);
	assert_true(rows[1]->invalid);
	assert_string_equal(rows[1]->reason, "start 'x': no");
	ratio = result_ratio(&r, NULL, rows[1], rows[0]);
	assert_int_equal(ratio->kind, ROW_MISSING);
	row_claim(ratio, CLAIM_BELOW, 1);
	assert_int_equal(ratio->claim, CLAIM_CANNOT);
}

static void repeats_nothing_in_vain(void **)
{
	struct script script = {.final = 100};
	struct series_report rep = run(&script);

	// one attempt in each of two rounds
	assert_int_equal(rep.trials, 4 + 2);
	assert_int_equal(rep.repeated, 0);
	assert_string_equal(rows[1]->reason, "it is above 5");
}

// A real stall: this process is stopped, and the thread that watches sees it.
static void sees_the_machine_stand_still(void **)
{
	struct script script = {.still = 1};
	struct series_report rep;

	s.stall_ms = 40;
	rep = run(&script);
	assert_true(rep.worst_stall_ms >= 50);
	assert_true(rep.repeated >= 1);
	assert_true(rows[0]->repeated >= 1);
	s.rounds = 1;
	script = (struct script){.still = 100};
	rep = run(&script);
	assert_true(rep.invalid >= 2);
	// and it is told with the rest of the experiment
	assert_true(b.seen.stalls && b.seen.stall_ms >= 50);
	assert_true(b.seen.invalid >= 2 && b.seen.trials >= 8 + 6);
}

// Where files go: sockets below it have to be as long as they may be.
static void files_have_a_place(void **)
{
	struct bench other;
	struct err err;

	setenv("TMPDIR", "", 1);
	assert_ok(bench_open(&other, BENCH_QUICK, &err), &err);
	assert_int_equal(strncmp(other.work, "/tmp/pinfold-bench.", 19), 0);
	bench_close(&other);
	setenv("TMPDIR", "/tmp/a-directory/with-a-name/that-is/quite/long-for-sockets", 1);
	assert_fails(bench_open(&other, BENCH_QUICK, &err), &err, "is too long for sockets below");
	unsetenv("TMPDIR");
}

static void keeps_what_was_done_at_ctrl_c(void **)
{
	struct script script = {.cancel_at = 4};
	struct series_report rep;
	struct err err;

	s.arg = &script;
	assert_int_equal(series_run(&b, &s, &rep, &err), -ECANCELED);
	assert_int_equal(rows[0]->n, 1);
	assert_int_equal(rows[1]->n, 2);
}

static void ends_when_the_time_is_up(void **)
{
	struct script script = {0};
	struct series_report rep;

	b.until_ms = clock_ms() - 1;
	s.least = 2;
	rep = run(&script);
	assert_int_equal(rep.rounds, 2);
	assert_int_equal(script.calls, 4);
}

struct noise {
	uint64_t x;
	unsigned calls;
};

static double drawn(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return (double)(*x >> 11) / (double)(UINT64_C(1) << 53);
}

// What a machine says of one and the same thing: it gets slower and faster over many rounds, every figure is a few
// percent off, and one in twenty is far off.
static int noisy(struct bench *, void *arg, struct trial *t, struct err *)
{
	struct noise *n = arg;
	double off = drawn(&n->x) + drawn(&n->x) + drawn(&n->x) - 1.5;

	t->value[0] = (1 + 0.1 * sin(n->calls++ / 40.0)) * exp(0.05 * off);
	if (drawn(&n->x) < 0.05)
		t->value[0] *= 1 + 2 * drawn(&n->x);
	return 0;
}

// A against A: in a hundred comparisons no more are called different than the stated 5 %, and what chance adds to that
// once in a hundred such tests (binomial). The noise is drawn, and the same each time.
static void equals_are_not_called_different(void **)
{
	struct noise noise = {.x = 88172645463325252u};
	unsigned different = 0;

	s.run = noisy;
	s.arg = &noise;
	s.rounds = 10;
	for (unsigned i = 0; i < 100; i++) {
		struct result again = {0};
		struct series_report rep;
		struct err err;
		const struct row *ratio;

		for (unsigned side = 0; side < 2; side++)
			s.row[side][0] = result_measured(&again, "A", &b.env[side], "ms");
		assert_ok(series_run(&b, &s, &rep, &err), &err);
		ratio = result_ratio(&again, NULL, s.row[1][0], s.row[0][0]);
		assert_int_equal(ratio->kind, ROW_RATIO);
		assert_int_equal(ratio->value.low > 1, ratio->difference.low > 0);
		different += ratio->verdict == VERDICT_DIFFERENT;
		result_done(&again);
	}
	print_message("%u of 100 are called different\n", different);
	assert_true(different <= 11);
}

static void runs_programs(void **)
{
	static const char *const hello[] = {"sh", "-c", "echo $X; echo no >&2", NULL};
	static const char *const bad[] = {"sh", "-c", "echo this is why >&2; exit 3", NULL};
	static const char *const missing[] = {"/no/such/program", NULL};
	static const char *const slow[] = {"sleep", "100", NULL};
	static const char *const env[] = {"X=hello", NULL};
	_cleanup_free_ char *out = NULL;
	int64_t ns = 0;
	struct child c;
	struct err err;

	assert_ok(
		child_run(
			&b, &(struct child_how){.argv = hello, .env = env}, 9000, 0, &out, &ns, &err
		),
		&err
	);
	assert_string_equal(out, "hello\n");
	assert_true(ns > 0);
	assert_fails(
		child_run(&b, &(struct child_how){.argv = bad}, 9000, 0, NULL, NULL, &err),
		&err,
		"sh: ended with status 3: this is why"
	);
	assert_ok(child_run(&b, &(struct child_how){.argv = bad}, 9000, 3, NULL, NULL, &err), &err);
	assert_fails(
		child_run(&b, &(struct child_how){.argv = missing}, 9000, 0, NULL, NULL, &err),
		&err,
		"program: ended with status 127"
	);
	assert_fails(
		child_run(&b, &(struct child_how){.argv = slow}, 50, 0, NULL, NULL, &err),
		&err,
		"sleep: still runs after"
	);
	assert_ok(child_start(&b, &(struct child_how){.argv = slow}, &c, &err), &err);
	assert_true(child_runs(&b, &c));
	children_stop(&b);
	assert_int_equal(kill(c.pid, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(turns_round, begin, end),
		cmocka_unit_test_setup_teardown(repeats_what_was_disturbed, begin, end),
		cmocka_unit_test_setup_teardown(gives_up_with_the_reason, begin, end),
		cmocka_unit_test_setup_teardown(leaves_out_a_side_that_fails, begin, end),
		cmocka_unit_test_setup_teardown(repeats_nothing_in_vain, begin, end),
		cmocka_unit_test_setup_teardown(sees_the_machine_stand_still, begin, end),
		cmocka_unit_test(files_have_a_place),
		cmocka_unit_test_setup_teardown(keeps_what_was_done_at_ctrl_c, begin, end),
		cmocka_unit_test_setup_teardown(ends_when_the_time_is_up, begin, end),
		cmocka_unit_test_setup_teardown(equals_are_not_called_different, begin, end),
		cmocka_unit_test_setup_teardown(runs_programs, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

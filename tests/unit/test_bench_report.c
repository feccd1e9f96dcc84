// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A report and a comparison from a file of results that does not change.

#include "unit.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/str.h"
#include "bench/compare_runs.h"
#include "bench/report/report.h"
#include "bench/report/terminal.h"
#include "bench/report/words.h"
#include "bench/results.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

static char *golden(const char *name)
{
	return str_printf("%s/tests/golden/%s", getenv("PINFOLD_SOURCE"), name);
}

static struct results read_golden(void)
{
	_cleanup_free_ char *path = golden("bench-results.json");
	struct results all = {0};
	struct err err;

	assert_ok(results_read(path, &all, &err), &err);
	return all;
}

static char *written(void (*write)(FILE *, const struct results *, const struct figures *))
{
	scope_cleanup(results_done) struct results all = read_golden();
	const struct figures none = {0};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	write(f, &all, &none);
	fclose(f);
	return text;
}

// UPDATE_GOLDEN=1 writes it anew: read the difference.
static void markdown_is_as_it_was(void **)
{
	_cleanup_free_ char *path = golden("bench-report.md"), *text = written(markdown_write);
	_cleanup_free_ char *was = NULL;

	if (getenv("UPDATE_GOLDEN") != NULL) {
		_cleanup_fclose_ FILE *f = fopen(path, "w");

		fputs(text, f);
	} else {
		assert_int_equal(fs_read_file(path, 1 << 20, &was, NULL), 0);
		assert_string_equal(text, was);
	}
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		n++;
	return n;
}

static void html_says_all_of_it(void **)
{
	static const char *const words[] = {
		"<b>1</b> hold today",
		"<b>1</b> do not hold",
		"<b>1</b> cannot be measured here",
		"20.8 ms (20 to 22)",
		"2 disturbed trials made again",
		"(emulated CPU)",
		"that is +19 ms",
		"exec to ready, container/vm, because: the CPU of 'vm' is emulated here (TCG)",
		"exec to ready, podman, because: podman: ended with status 126",
		"1500 ms: a container (Docker, default): 1.5 s",
		"0-1 &lt;script&gt;",
		"A quick run leaves out: repeats",
		"It was not completed: stopped by a signal",
		"Example CPU | 2 cores",
	};
	_cleanup_free_ char *text = written(html_write);

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_contains(text, words[i]);
	assert_null(strstr(text, "<script"));
	assert_int_equal(count(text, "<tr>"), count(text, "</tr>"));
	assert_int_equal(count(text, "<td"), count(text, "</td>"));
}

// In columns that fit, and nothing of a file's moves the cursor.
static void terminal_says_what_matters(void **)
{
	static const char *const words[] = {
		"What the paper says, and what is so here, today",
		"holds today",
		"exec to ready  container/host",
		"+19 ms",
		"PCI functions shown",
		"Of the paper's statements 1 hold today, 1 do not",
	};
	scope_cleanup(results_done) struct results all = read_golden();
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	free(all.of[2].rows[2]->text);
	all.of[2].rows[2]->text = strdup("0-1\033[2J");
	terminal_write(f, &all, 80);
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_contains(text, words[i]);
	assert_null(strchr(text, '\033'));
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned columns = 0;

		for (const char *at = line; *at != '\0'; at++)
			columns += ((unsigned char)*at & 0xc0) != 0x80;
		// a table is as wide as what is in it
		if (str_starts(line, "    "))
			assert_true(columns <= 80);
	}
}

// gnuplot draws what it says, with the paper's figure and the emulated one apart.
static void figures_are_drawn(void **)
{
	scope_cleanup(results_done) struct results all = read_golden();
	scope_cleanup(figures_done) struct figures figures = {0};
	char dir[] = "/tmp/test-report-XXXXXX";
	_cleanup_close_ int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	if (system("gnuplot --version >/dev/null 2>&1") != 0)
		skip_because("gnuplot is not installed");
	assert_non_null(mkdtemp(dir));
	assert_ok(figures_draw(&all, dir, &figures, &err), &err);
	assert_int_equal(figures.n, 1);
	assert_int_equal(figures.of[0].n, 3);
	assert_true(figures.of[0].log);
	assert_int_not_equal(access("/tmp/test-report-ran", F_OK), 0);
	for (const char *const *w =
		     (const char *const[]){"container", "emulated CPU", "the paper, 2015", NULL};
	     *w != NULL;
	     w++)
		assert_contains(figures.of[0].svg, *w);
	assert_ok(fs_remove_tree(tmp, dir + strlen("/tmp/"), &err), &err);
}

// A directory that others sent, with links in it: what they lead to is neither written nor read.
static void links_lead_nowhere(void **)
{
	static const char *const links[] = {"figures/plot", "figures/startup-1.svg"};
	scope_cleanup(results_done) struct results all = read_golden();
	char dir[] = "/tmp/test-report-XXXXXX", text[64];
	_cleanup_close_ int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	_cleanup_free_ char *drawn_file = NULL;
	struct report_drawn drawn = {0};
	struct err err;

	if (system("gnuplot --version >/dev/null 2>&1") != 0)
		skip_because("gnuplot is not installed");
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_return_code(mkdirat(fd, "figures", 0755), errno);
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		snprintf(text, sizeof(text), "%s/victim%zu", dir, i);
		assert_return_code(symlinkat(text, fd, links[i]), errno);
		assert_ok(fs_write_atomic(fd, strrchr(text, '/') + 1, "mine", 4, 0600, &err), &err);
	}
	assert_ok(report_write(&all, dir, &drawn, &err), &err);
	assert_int_equal(drawn.figures, 1);
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		_cleanup_free_ char *had = NULL;

		snprintf(text, sizeof(text), "victim%zu", i);
		assert_int_equal(fs_read(fd, text, 1 << 20, &had, NULL), 0);
		assert_string_equal(had, "mine");
	}
	assert_int_equal(fs_read(fd, links[1], 1 << 20, &drawn_file, NULL), 0);
	assert_contains(drawn_file, "the paper, 2015");
	// and the whole of it elsewhere
	assert_ok(fs_remove_tree(fd, "figures", &err), &err);
	assert_return_code(mkdirat(fd, "elsewhere", 0755), errno);
	assert_return_code(symlinkat("elsewhere", fd, "figures"), errno);
	assert_fails(
		report_write(&all, dir, &drawn, &err),
		&err,
		"is no directory, or a link to one: remove it"
	);
	assert_return_code(unlinkat(fd, "elsewhere", AT_REMOVEDIR), errno);
	assert_ok(fs_remove_tree(tmp, dir + strlen("/tmp/"), &err), &err);
}

// A figure that cannot be drawn takes no report with it.
static void a_figure_that_fails(void **)
{
	scope_cleanup(results_done) struct results all = read_golden();
	char dir[] = "/tmp/test-report-XXXXXX";
	_cleanup_free_ char *path = NULL, *report = NULL, *had = strdup(getenv("PATH"));
	_cleanup_close_ int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct report_drawn drawn = {0};
	struct err err;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_ok(
		fs_write_atomic(
			fd,
			"gnuplot",
			"#!/bin/sh\n[ \"$1\" = --version ]\n",
			strlen("#!/bin/sh\n[ \"$1\" = --version ]\n"),
			0755,
			&err
		),
		&err
	);
	path = str_printf("%s:%s", dir, had);
	setenv("PATH", path, 1);
	assert_ok(report_write(&all, dir, &drawn, &err), &err);
	setenv("PATH", had, 1);
	assert_int_equal(drawn.figures, 0);
	assert_int_equal(drawn.failed, 1);
	assert_contains(drawn.why, "draw 'figures/startup-1.svg'");
	assert_int_equal(fs_read(fd, "report.html", 1 << 20, &report, NULL), 0);
	assert_contains(report, "exec to ready");
	assert_ok(fs_remove_tree(tmp, dir + strlen("/tmp/"), &err), &err);
}

// The report opens with what the machine can tell apart, and nothing in it is markup.
static void opens_with_the_machine(void **)
{
	static const struct environment again = {.name = RESULT_AGAIN};
	static const char *const names[] = {RESULT_AGAIN_START, RESULT_AGAIN_SPEED};
	scope_cleanup(results_done) struct results all = read_golden();
	const struct figures none = {0};
	_cleanup_free_ char *text = NULL;
	const char *first;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct row *row = result_measured(&all.of[0], names[i], &again, "");

		row->kind = ROW_RATIO;
		row->value = (struct interval){1, 0.96, 1.031 + 0.1 * (double)i, 16};
	}
	// the host's start, which the summary names
	free(all.of[1].rows[0]->unit);
	all.of[1].rows[0]->unit = strdup("<script>");
	markdown_write(f, &all, &none);
	fclose(f);
	first = strstr(text, "## Summary\n\n* ");
	assert_non_null(first);
	assert_contains(text, "starts apart that differ by more than 4.0 %");
	assert_contains(text, "speeds that differ by more than 13.1 %");
	assert_true(strstr(text, "This machine tells") < strstr(text, "A container is ready"));
	assert_int_equal(count(text, "<script"), count(text, "\\<script"));
}

// What somebody reads with cat, and a browser that heeds marks of direction.
static void nothing_is_obeyed(void **)
{
	static void (*const writers[])(FILE *, const struct results *, const struct figures *) = {
		markdown_write,
		html_write,
	};
	static const char text[] = "a\033[31mb\342\200\256c";
	scope_cleanup(results_done) struct results all = read_golden();
	const struct figures none = {0};

	json_object_set_new(all.provenance, text, json_string(text));
	for (unsigned e = 0; e < all.n; e++) {
		for (unsigned i = 0; i < all.of[e].n; i++) {
			free(all.of[e].rows[i]->name);
			all.of[e].rows[i]->name = strdup(text);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
		_cleanup_free_ char *page = NULL;
		size_t len;
		FILE *f = open_memstream(&page, &len);

		writers[i](f, &all, &none);
		fclose(f);
		assert_null(strchr(page, '\033'));
		assert_null(strstr(page, "\342\200\256"));
		assert_non_null(strstr(page, i == 0 ? "a \\[31mb   c" : "a [31mb   c"));
	}
}

static void writes_what_it_read(void **)
{
	scope_cleanup(results_done) struct results all = read_golden();
	_cleanup_json_ json_t *doc = results_to_json(&all);
	struct results back = {0};
	struct err err;

	assert_ok(results_from_json(doc, "again", &back, &err), &err);
	assert_int_equal(back.n, all.n);
	assert_int_equal(back.of[1].n, 6);
	results_done(&back);
}

// A copy that lacks its end, and numbers that are none.
static void says_where_it_is_wrong(void **)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"{\n\"version\": 1,\n\"size\": \"qu", "it is cut off: copy it once more"},
		{"{\n\"version\":\nNaN}", "line 3: "},
		{"{\n\"version\": 1e999}", "line 2: "},
		{"[]", "it is no JSON object"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[] = "/tmp/test-report-XXXXXX";
		_cleanup_close_ int fd = mkstemp(path);
		const size_t len = strlen(cases[i].text);
		struct results all;
		struct err err;

		assert_int_equal(write(fd, cases[i].text, len), len);
		assert_fails(results_read(path, &all, &err), &err, cases[i].words);
		unlink(path);
	}
}

// Where it cannot be written or read: which directory, and why.
static void names_the_directory(void **)
{
	scope_cleanup(results_done) struct results all = read_golden();
	struct results none;
	struct err err;

	assert_fails(results_write("/proc/self/fd", &all, &err), &err, "in '/proc/self/fd': ");
	assert_fails(results_read("/dev/null", &none, &err), &err, "it is no regular file");
}

static const struct compared *find(
	const struct compared *c, unsigned n, const char *name, const char *env
)
{
	for (unsigned i = 0; i < n; i++) {
		const struct row *row = c[i].a != NULL ? c[i].a : c[i].b;

		if (str_eq(row->name, name) && str_eq(row->env, env))
			return &c[i];
	}
	fail_msg("no row '%s', '%s'", name, env);
	return NULL;
}

static void compares_two_runs(void **)
{
	scope_cleanup(results_done) struct results a = read_golden(), b = read_golden();
	_cleanup_free_ struct compared *c = NULL;
	const struct compared *one;
	struct fail_on on = {0};
	struct err err;
	unsigned n;

	// the container's start takes half as long again, and the host has one PCI function more
	for (unsigned i = 0; i < b.of[1].rows[1]->n; i++)
		b.of[1].rows[1]->samples[i] *= 1.5;
	b.of[2].rows[1]->samples[0] = b.of[2].rows[1]->value.mid = 7;
	free(b.of[2].rows[2]->text);
	b.of[2].rows[2]->text = strdup("0-1");
	b.of[1].rows[0]->kind = ROW_MISSING;
	n = results_compare(&a, &b, &c);

	one = find(c, n, "exec to ready", "container");
	assert_int_equal(one->change, CHANGE_WORSE);
	assert_true(fabs(one->ratio.mid - 1.5) < 1e-6);
	assert_ok(fail_on_parse("values=20,missing", &on, &err), &err);
	assert_true(fail_on_matches(&on, one));
	assert_true(fail_on_matches(&on, find(c, n, "exec to ready", "host")));
	on = (struct fail_on){0};
	assert_ok(fail_on_parse("values=60,worse", &on, &err), &err);
	assert_false(fail_on_matches(&on, one));
	assert_int_equal(find(c, n, "PCI functions shown", "host")->change, CHANGE_WORSE);
	assert_int_equal(
		find(c, n, "CPUs that a DPDK program finds", "container")->change, CHANGE_WORDS
	);
	assert_int_equal(find(c, n, "exec to ready", "vm")->change, CHANGE_INCONCLUSIVE);
	assert_int_equal(find(c, n, "what can be told apart", "")->change, CHANGE_SAME);
}

static void numbers_for_people(void **)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{6, "6"},
		{1234, "1234"},
		{0.04321, "0.0432"},
		{1.234, "1.23"},
		{12.34, "12.3"},
		{123.4, "123"},
		{12345678.9, "1.23e+07"},
		{NAN, "?"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_free_ char *text = words_number(cases[i].value);

		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markdown_is_as_it_was),
		cmocka_unit_test(html_says_all_of_it),
		cmocka_unit_test(terminal_says_what_matters),
		cmocka_unit_test(figures_are_drawn),
		cmocka_unit_test(links_lead_nowhere),
		cmocka_unit_test(a_figure_that_fails),
		cmocka_unit_test(opens_with_the_machine),
		cmocka_unit_test(nothing_is_obeyed),
		cmocka_unit_test(writes_what_it_read),
		cmocka_unit_test(says_where_it_is_wrong),
		cmocka_unit_test(names_the_directory),
		cmocka_unit_test(compares_two_runs),
		cmocka_unit_test(numbers_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/run.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/hint.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/child.h"
#include "bench/environment.h"
#include "bench/need.h"
#include "bench/open.h"
#include "bench/progress.h"
#include "bench/provenance.h"
#include "bench/reasons.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define MACHINE "machine"
#define REFUSED " ended with status 125" // of pinfold itself, in the words of child.c
#define LOOK_MS 10000

// Those that are named, of those that a run of that size has, as a set of their places in experiment_list().
static int choose_named(
	const char *const *names, enum bench_size size, uint64_t *ret, struct err *err
)
{
	const char *known[64] = {"all"};
	const struct experiment *const *all;
	unsigned n = experiment_list(&all);
	uint64_t set = 0;

	for (unsigned i = 0; i < n && i + 2 < ARRAY_LEN(known); i++)
		known[i + 1] = all[i]->name;
	for (; *names != NULL; names++) {
		bool every = str_eq(*names, "all");

		for (unsigned i = 0; i < n; i++) {
			bool named = str_eq(*names, all[i]->name);

			if (named && all[i]->seconds[size] == 0)
				return err_set(
					err,
					EINVAL,
					"a %s run has no '%s': leave --%s out",
					bench_size_name(size),
					*names,
					bench_size_name(size)
				);
			if (named || (every && all[i]->seconds[size] > 0))
				set |= 1ull << i;
		}
		if (!every && experiment_find(*names) == NULL) {
			char buf[HINT_MAX];

			hint(buf, *names, known);
			return err_set(
				err,
				ENOENT,
				"there is no experiment '%s'%s",
				*names,
				buf[0] != '\0' ? buf : "; see pinfold bench list"
			);
		}
	}
	*ret = set;
	return 0;
}

static struct result begin(
	const struct bench *b, const struct experiment *e, const struct results *all
)
{
	return (struct result){
		.experiment = need(strdup(e->name)),
		.title = need(strdup(e->title)),
		.figure = need(strdup(e->figure)),
		.about = need(strdup(e->about)),
		.dropped = e->dropped[b->size] != NULL ? need(strdup(e->dropped[b->size])) : NULL,
		.machine = str_eq(e->name, MACHINE) ? NULL : results_find(all, MACHINE),
	};
}

// All of it is missing here.
static void none(struct result *r, const struct experiment *e, const json_t *reasons)
{
	const json_t *first = json_array_get(reasons, 0);
	struct row *row = result_missing(
		r,
		e->title,
		NULL,
		"%s",
		json_string_value(first) ?: "this machine lacks what it needs"
	);

	row_claim_is(row, CLAIM_CANNOT);
}

// What was measured alongside.
static void meanwhile(const struct bench *b, struct result *r)
{
	const struct bench_seen *seen = &b->seen;
	char stalls[64] = "";
	struct row *row;

	if (seen->trials == 0)
		return;
	if (seen->stalls)
		snprintf(stalls, sizeof(stalls), "the longest stall was %.1f ms, ", seen->stall_ms);
	row = result_fact(r, "what the machine did meanwhile", NULL);
	row_alone(row);
	row_text(
		row,
		"%u trials, %u made again, %u invalid; %sand at most %.1f %% of the CPUs' time was "
		"taken below in one of them",
		seen->trials,
		seen->repeated,
		seen->invalid,
		stalls,
		100 * seen->steal
	);
}

// Why a workload could not be started, as where somebody else had the CPU then; NULL: all could.
static const char *refused(const struct result *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const char *reason = r->rows[i]->reason;

		if (reason != NULL && strstr(reason, REFUSED) != NULL)
			return reason;
	}
	return NULL;
}

// Fails only at ctrl-C.
static int one(struct bench *b, const struct experiment *e, struct results *all, struct err *err)
{
	scope_cleanup(result_done) struct result r = begin(b, e, all);
	int64_t began = clock_ms();
	const char *why;
	json_t *reasons;
	bool possible;
	int status = 0;

	bench_say(b, "%s: begins", e->name);
	b->until_ms = began + 1000 * (int64_t)e->seconds[b->size];
	b->found = all;
	b->seen = (struct bench_seen){0};
	reasons = experiment_lacks(b, e, &possible);
	if (possible)
		status = e->run(b, &r, err);
	else
		none(&r, e, reasons);
	json_decref(reasons);
	children_stop(b);
	meanwhile(b, &r);
	result_settle(&r);
	r.seconds = (double)(clock_ms() - began) / 1e3;
	// one that failed is made again by --resume, too
	why = refused(&r);
	r.complete = status == 0 && why == NULL && !bench_cancelled();
	if (status < 0)
		r.failed = need(strdup(err->msg));
	else if (why != NULL)
		r.failed = need(str_printf("%s; --resume makes it again", why));
	if (r.n > 0 || !bench_cancelled())
		results_put(all, &r);
	return bench_check(err);
}

static unsigned seconds_of(uint64_t set, enum bench_size size)
{
	const struct experiment *const *list;
	unsigned n = experiment_list(&list), sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += set >> i & 1 ? list[i]->seconds[size] : 0;
	return sum;
}

static int run_all(
	struct bench *b,
	const struct run_how *how,
	uint64_t set,
	struct results *all,
	struct err *err
)
{
	const struct experiment *const *list;
	unsigned n = experiment_list(&list);

	for (unsigned i = 0; i < n; i++) {
		const struct result *done = results_find(all, list[i]->name);
		struct err wrong;
		int r;

		if (!(set >> i & 1))
			continue;
		if (done != NULL && done->complete)
			set &= ~(1ull << i);
		b->progress->until_ms =
			clock_ms() + 1000 * (int64_t)seconds_of(set >> i << i, how->size);
		if (done != NULL && done->complete)
			continue;
		r = one(b, list[i], all, err);
		if (results_write(how->dir, all, &wrong) < 0) {
			_cleanup_free_ char *word = need(str_quote(how->dir));

			return err_set(
				err,
				wrong.code,
				"%s; with that mended, go on with --resume %s",
				wrong.msg,
				word
			);
		}
		progress_clear(b->progress);
		if (how->said != NULL && results_find(all, list[i]->name) != NULL)
			how->said(results_find(all, list[i]->name));
		if (r < 0)
			return r;
	}
	return 0;
}

// A directory is of one run at a time: the other's results would be gone. The lock goes with the descriptor.
static int lock_dir(const struct run_how *how, int *ret, struct err *err)
{
	_cleanup_close_ int fd = -1;

	if (!how->resume && mkdir(how->dir, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make directory '%s'", how->dir);
	fd = open(how->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "write results into '%s'", how->dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? err_set(
			       err,
			       EBUSY,
			       "another bench run writes into '%s': wait until it has ended, "
			       "or name another with -o",
			       how->dir
		       )
					    : err_sys(err, errno, "lock '%s'", how->dir);
	*ret = steal_fd(&fd);
	return 0;
}

// A new run is not to take the place of an old one.
static int has_none(const struct run_how *how, int dir, struct err *err)
{
	_cleanup_free_ char *word = NULL;

	if (faccessat(dir, RESULTS_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	word = need(str_quote(how->dir));
	return err_set(
		err,
		EEXIST,
		"'%s' has results already: go on with --resume %s, or name another with -o",
		how->dir,
		word
	);
}

// Rows of two machines, or of one under two kernels, are not to be under one heading.
static int same_setup(
	const struct run_how *how, const json_t *was, const json_t *is, struct err *err
)
{
	for (const char *const *key = results_machine_keys; *key != NULL; key++) {
		const char *a = json_string_value(json_object_get(was, *key)) ?: "";
		const char *b = json_string_value(json_object_get(is, *key)) ?: "";

		if (!str_eq(a, b))
			return err_set(
				err,
				EINVAL,
				"'%s' was begun with another set-up: %s was '%.200s' and is "
				"'%.200s': begin anew with -o",
				how->dir,
				*key,
				a,
				b
			);
	}
	return 0;
}

// Whoever waits for minutes is to know beforehand whose the CPUs are.
static void look_at_cpus(struct bench *b)
{
	char cpus[32];
	const char *const argv[] = {b->pinfold, "plan", "--cpus", cpus, NULL};
	const char *why;
	struct err err;

	snprintf(cpus, sizeof(cpus), "%d", b->cpu_vnf);
	if (b->cpu_tester != b->cpu_vnf)
		snprintf(cpus, sizeof(cpus), "%d,%d", b->cpu_vnf, b->cpu_tester);
	if (child_run(b, &(struct child_how){.argv = argv}, LOOK_MS, 0, NULL, NULL, &err) == 0
	    || (why = strstr(err.msg, REFUSED ": ")) == NULL)
		return;
	fprintf(stderr,
		"%s; until then rows of containers and virtual machines are missing\n",
		why + strlen(REFUSED ": "));
}

int bench_run(const struct run_how *how, struct results *ret, struct err *err)
{
	scope_cleanup(results_done) struct results all = {0};
	scope_cleanup(bench_close) struct bench b = {0};
	_cleanup_json_ json_t *setup = NULL;
	struct run_how h = *how;
	struct progress progress;
	_cleanup_close_ int dir = -1;
	uint64_t set, first;
	int r;

	all.size = how->size;
	if ((how->resume && (lock_dir(how, &dir, err) < 0 || results_read(how->dir, &all, err) < 0))
	    || choose_named(how->names, all.size, &set, err) < 0
	    || choose_named((const char *const[]){MACHINE, NULL}, all.size, &first, err) < 0
	    || (!how->resume && (lock_dir(how, &dir, err) < 0 || has_none(how, dir, err) < 0)))
		return -err->code;
	h.size = all.size;
	if (bench_open(&b, h.size, err) < 0)
		return -err->code;
	progress_begin(&progress);
	b.progress = &progress;
	b.remote = how->remote;
	look_at_cpus(&b);
	environments_try(&b);
	setup = provenance(&b);
	if (all.provenance == NULL)
		all.provenance = json_incref(setup);
	else if (same_setup(how, all.provenance, setup, err) < 0)
		return -err->code;
	r = run_all(&b, &h, set | first, &all, err);
	progress_clear(&progress);
	*ret = all;
	all = (struct results){0};
	return r;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What all experiments have: the programs, the CPUs, a directory, and ctrl-C.

#include "bench/bench.h"

#include "base/clock.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/child.h"
#include "bench/docker.h"
#include "bench/environment.h"
#include "bench/need.h"
#include "bench/open.h"
#include "bench/place.h"
#include "bench/progress.h"
#include "bench/stale_cgroups.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

// of the 108 of a socket's path: "/pinfold-bench.XXXXXX/bench-4194304-1000000-out.sock" and
// "/pinfold-bench.XXXXXX/1000000-tester/dpdk/tester/drover.sock" are behind it
#define TMP_MOST 44

static volatile sig_atomic_t cancelled;

static void cancel(int signal)
{
	(void)signal;
	cancelled = 1;
}

bool bench_cancelled(void)
{
	return cancelled != 0;
}

int bench_check(struct err *err)
{
	return cancelled != 0 ? err_set(err, ECANCELED, "stopped by a signal") : 0;
}

bool bench_pause(unsigned milliseconds)
{
	int64_t until = clock_ms() + milliseconds;

	while (!bench_cancelled()) {
		int64_t left = until - clock_ms();

		if (left <= 0)
			return true;
		poll(NULL, 0, (int)left);
	}
	return false;
}

void bench_say(struct bench *b, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (b->progress == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	progress_say(b->progress, text);
}

char *bench_path(const struct bench *b, const char *fmt, ...)
{
	_cleanup_free_ char *name = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&name, fmt, ap) < 0)
		name = NULL;
	va_end(ap);
	return need(str_printf("%s/%s", b->work, (char *)need(name)));
}

// ---- the programs

// path, if it can be run; else NULL.
static char *runnable(char *path)
{
	char *real = access(need(path), X_OK) == 0 ? realpath(path, NULL) : NULL;

	free(path);
	return real;
}

// Beside this program, as installed or in a directory of the build.
static char *beside(const char *dir, const char *name, const char *built)
{
	static const char *const installed[] = {"", "../libexec/pinfold/"};

	for (size_t i = 0; i < ARRAY_LEN(installed); i++) {
		char *found = runnable(str_printf("%s/%s%s", dir, installed[i], name));

		if (found != NULL)
			return found;
	}
	return runnable(str_printf("%s/%s/%s", dir, built, name));
}

static int find_programs(struct bench *b, struct err *err)
{
	_cleanup_free_ char *dir = NULL;

	b->pinfold = realpath("/proc/self/exe", NULL);
	if (b->pinfold == NULL)
		return err_sys(err, errno, "find this program's own file");
	dir = need(strdup(b->pinfold));
	*strrchr(dir, '/') = '\0';
	b->drover = beside(dir, "drover", "../../drover");
	b->inside = beside(dir, "pinfold-inside", "../inside");
	return 0;
}

// ---- the CPUs

static int choose_cpus(struct bench *b, struct err *err)
{
	struct place p[PLACES];

	b->ncpus = places_find(p);
	if (b->ncpus == 0)
		return err_set(err, ENODEV, "this process may use no CPU below %d", PLACES);
	places_choose(p, b->ncpus, &b->cpu_vnf, &b->cpu_tester);
	return 0;
}

// ---- the whole

static int make_work(struct bench *b, struct err *err)
{
	const char *tmp = work_dir_parent();

	// sockets of programs are below it
	if (strlen(tmp) > TMP_MOST)
		return err_set(
			err,
			ENAMETOOLONG,
			"TMPDIR '%s' is too long for sockets below it: say one of at most %d bytes",
			tmp,
			TMP_MOST
		);
	if (work_dir_make(&b->work_dir, err) < 0)
		return -err->code;
	b->work = b->work_dir.path;
	return 0;
}

static void catch_signals(void)
{
	// no SA_RESTART: waits end
	const struct sigaction a = {.sa_handler = cancel};

	cancelled = 0;
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int bench_open(struct bench *ret, enum bench_size size, struct err *err)
{
	struct bench b = {.size = size};

	if (find_programs(&b, err) < 0 || choose_cpus(&b, err) < 0 || make_work(&b, err) < 0) {
		bench_close(&b);
		return -err->code;
	}
	catch_signals();
	environments_find(&b);
	*ret = b;
	return 0;
}

void bench_close(struct bench *b)
{
	children_stop(b);
	docker_done(b);
	groups_remove();
	free(b->children);
	work_dir_remove(&b->work_dir);
	free(b->pinfold);
	free(b->drover);
	free(b->inside);
	*b = (struct bench){0};
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What all experiments have: the programs, the CPUs, a directory, and ctrl-C.

#include "bench/bench.h"

#include "base/clock.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/idset.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/child.h"
#include "bench/docker.h"
#include "bench/environment.h"
#include "bench/need.h"
#include "bench/open.h"
#include "bench/progress.h"
#include "bench/stale_cgroups.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

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

// A word of a CPU's topology; "" where the kernel does not say.
static void place_of(int cpu, const char *name, char *buf, size_t len)
{
	_cleanup_free_ char *path =
		need(str_printf("/sys/devices/system/cpu/cpu%d/topology/%s", cpu, name));
	_cleanup_free_ char *text = NULL;

	buf[0] = '\0';
	if (fs_read_file(path, 4096, &text, NULL) == 0)
		snprintf(buf, len, "%s", text);
}

static bool same_core(int a, int b)
{
	char x[128], y[128];

	place_of(a, "thread_siblings_list", x, sizeof(x));
	place_of(b, "thread_siblings_list", y, sizeof(y));
	return x[0] != '\0' && str_eq(x, y);
}

// Two cores, the last ones: what the kernel does on its own it does on the first.
static int choose_cpus(struct bench *b, struct err *err)
{
	cpu_set_t may;
	int last = -1, other = -1;

	if (sched_getaffinity(0, sizeof(may), &may) < 0)
		return err_sys(err, errno, "ask for the CPUs of this process");
	for (int cpu = 127; cpu >= 0; cpu--) {
		if (!CPU_ISSET((unsigned)cpu, &may))
			continue;
		b->ncpus++;
		if (last < 0)
			last = cpu;
		else if (other < 0 || (same_core(other, last) && !same_core(cpu, last)))
			other = cpu;
	}
	if (last < 0)
		return err_set(err, ENODEV, "this process may use no CPU below 128");
	b->cpu_vnf = last;
	b->cpu_tester = other >= 0 ? other : last;
	return 0;
}

// ---- the whole

static int make_work(struct bench *b, struct err *err)
{
	const char *tmp = getenv("TMPDIR") ?: "/tmp";

	b->work = need(str_printf("%s/pinfold-bench-XXXXXX", tmp));
	if (mkdtemp(b->work) == NULL) {
		err_sys(err, errno, "make a directory '%s'", b->work);
		free(b->work);
		b->work = NULL;
		return -err->code;
	}
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
	groups_look();
	environments_find(&b);
	*ret = b;
	return 0;
}

void bench_close(struct bench *b)
{
	children_stop(b);
	docker_done();
	groups_remove();
	free(b->children);
	if (b->work != NULL) {
		struct err ignored;
		char *slash = strrchr(b->work, '/');
		int dir;

		*slash = '\0';
		dir = open(b->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
		fs_remove_tree(dir, slash + 1, &ignored);
		scope_close(&dir);
	}
	free(b->work);
	free(b->pinfold);
	free(b->drover);
	free(b->inside);
	*b = (struct bench){0};
}

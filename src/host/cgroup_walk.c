// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// All cgroups below one. Who may make cgroups can nest them thousands deep: paths of any length, and more levels than
// there are descriptors or stack. So one directory is open at a time, the way back is "..", which no cgroup can be moved
// away from (renames of v1 stay within their directory), and of what is left to do there are names alone.

#include "host/cgroup.h"

#include "base/clock.h"
#include "base/dir.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>

struct entry {
	char *name;
	unsigned depth; // of `dir`: 0
	bool entered;
};

struct walk {
	const struct host_cgroup_visit *v;
	int here;
	unsigned depth;
	struct entry *stack;
	size_t n, room;
};

static void walk_done(struct walk *w)
{
	scope_close(&w->here);
	while (w->n > 0)
		free(w->stack[--w->n].name);
	free(w->stack);
}

static int push(struct walk *w, const char *name)
{
	if (w->n == w->room) {
		size_t room = w->room > 0 ? 2 * w->room : 16;
		struct entry *more = reallocarray(w->stack, room, sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		w->stack = more;
		w->room = room;
	}
	w->stack[w->n] = (struct entry){.name = strdup(name), .depth = w->depth + 1};
	return w->stack[w->n].name != NULL ? (int)(w->n++, 0) : -ENOMEM;
}

static int enter(struct walk *w)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int r = w->v->enter != NULL ? w->v->enter(w->here, w->v->arg) : 0;

	if (r != 0)
		return r;
	d = dir_open(w->here, ".", 0);
	if (d == NULL)
		return host_cgroup_gone(-errno) ? 0 : -errno;
	while ((e = dir_next(d)) != NULL) {
		if (e->d_type != DT_DIR)
			continue;
		if (w->v->skip_runtime && w->depth == 0 && str_eq(e->d_name, CGROUP_RUNTIME))
			continue;
		r = push(w, e->d_name);
		if (r < 0)
			return r;
	}
	return host_cgroup_gone(-errno) ? 0 : -errno;
}

static int go(struct walk *w, const char *name)
{
	int fd = openat(w->here, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	scope_close(&w->here);
	w->here = fd;
	return 0;
}

// One that is missing has nothing below it.
static int descend(struct walk *w)
{
	struct entry *e = &w->stack[w->n - 1];
	int r = go(w, e->name);

	if (host_cgroup_gone(r)) {
		free(e->name);
		w->n--;
		return 0;
	}
	if (r < 0)
		return r;
	e->entered = true;
	w->depth++;
	return enter(w);
}

static int ascend(struct walk *w)
{
	struct entry *e = &w->stack[w->n - 1];
	int r = w->v->leave != NULL ? w->v->leave(w->here, e->name, w->v->arg) : 0;

	free(e->name);
	w->n--;
	return r;
}

int host_cgroup_visit(int dir, const struct host_cgroup_visit *v)
{
	const int64_t limit = clock_ms() + v->milliseconds;
	struct walk w = {.v = v, .here = -1};
	int r;

	w.here = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w.here < 0)
		return host_cgroup_gone(-errno) ? 0 : -errno;
	r = enter(&w);
	while (r == 0 && w.n > 0) {
		const struct entry *e = &w.stack[w.n - 1];

		if (clock_ms() > limit)
			r = -ETIME;
		for (; r == 0 && w.depth >= e->depth; w.depth--)
			r = go(&w, "..");
		if (r == 0)
			r = e->entered ? ascend(&w) : descend(&w);
	}
	walk_done(&w);
	return r;
}

struct members {
	host_cgroup_fn fn;
	void *arg;
};

static int call(int dir, void *arg)
{
	const struct members *m = arg;
	_cleanup_free_ int *pids = NULL;
	size_t n;
	int r = host_cgroup_pids(dir, &pids, &n);

	if (r < 0 || n == 0)
		return r;
	return m->fn != NULL ? m->fn(dir, pids, n, m->arg) : 1;
}

int host_cgroup_walk(
	int dir, bool skip_runtime, unsigned milliseconds, host_cgroup_fn fn, void *arg
)
{
	struct members m = {.fn = fn, .arg = arg};
	const struct host_cgroup_visit v = {
		.enter = call,
		.arg = &m,
		.skip_runtime = skip_runtime,
		.milliseconds = milliseconds,
	};

	return host_cgroup_visit(dir, &v);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /proc/irq as described in the kernel's Documentation/core-api/irq/irq-affinity.rst; the fields of
// /proc/PID/stat and /proc/PID/status in proc(5).

#include "host/noise.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

// include/linux/sched.h
#define PF_KTHREAD 0x00200000
#define PF_NO_SETAFFINITY 0x04000000

static void count(struct host_noise_kind *k, const char *id, const char *name)
{
	size_t have = strlen(k->names), room = sizeof(k->names) - have;
	char item[80];
	int n = snprintf(item, sizeof(item), "%s%.20s %.48s", k->n > 0 ? ", " : "", id, name);

	k->n++;
	if (k->more)
		return;
	k->more = (size_t)n + sizeof(", …") > room;
	strcpy(k->names + have, k->more ? ", …" : item);
}

static bool is_number(const char *s)
{
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static int is_numbered(const struct dirent *e)
{
	return is_number(e->d_name) && strlen(e->d_name) <= 20;
}

// Calls fn for each directory of that place whose name is a number, in their order: that of /proc, which the
// file system of a tree need not keep.
static void each_numbered(
	const struct hostfs *fs,
	const char *path,
	void (*fn)(int dir, const char *number, void *arg),
	void *arg
)
{
	_cleanup_close_ int top = hostfs_dir(fs->root, path);
	struct dirent **list = NULL;
	int n = top >= 0 ? scandirat(top, ".", &list, is_numbered, versionsort) : 0;

	for (int i = 0; i < n; i++) {
		_cleanup_close_ int dir = hostfs_dir(top, list[i]->d_name);

		if (dir >= 0)
			fn(dir, list[i]->d_name, arg);
		free(list[i]);
	}
	free(list);
}

// The directory of an interrupt has one of each of its handlers: /proc/irq/24/eth0-rx-1. An interrupt
// without any is not in use.
static bool handler_of(int dir, char *ret, size_t len)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(dir, ".");
	const char *name;

	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		_cleanup_close_ int sub = hostfs_dir(dir, name);

		if (sub < 0)
			continue;
		snprintf(ret, len, "%s", name);
		return true;
	}
	return false;
}

struct irqs {
	const char *file,
		*other; // of the interrupt's directory, a list of CPUs; where there is no such
	host_irq_fn fn;
	void *arg;
};

static void read_irq(int dir, const char *number, void *arg)
{
	const struct irqs *i = arg;
	char handler[64];
	struct idset may;

	if ((hostfs_idset(dir, i->file, IDSET_MAX, &may) >= 0
	     || hostfs_idset(dir, i->other, IDSET_MAX, &may) >= 0)
	    && handler_of(dir, handler, sizeof(handler)))
		i->fn(number, handler, &may, i->arg);
}

void host_irqs_each(const struct hostfs *fs, host_irq_fn fn, void *arg)
{
	struct irqs i = {"smp_affinity_list", "smp_affinity_list", fn, arg};

	each_numbered(fs, "proc/irq", read_irq, &i);
}

struct noise {
	const struct idset *cpus;
	struct host_noise *ret;
};

static void count_irq(const char *number, const char *handler, const struct idset *may, void *arg)
{
	struct noise *n = arg;

	if (idset_intersects(may, n->cpus))
		count(&n->ret->irqs, number, handler);
}

// Name and flags of a process: "PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS …". The name may
// hold anything, also ")".
static bool parse_stat(char *text, char **ret_name, unsigned *ret_flags)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')');

	if (open == NULL || close == NULL || close < open)
		return false;
	*close = '\0';
	*ret_name = open + 1;
	for (char *c = open + 1; c < close; c++) {
		if (!isprint((unsigned char)*c))
			*c = '?';
	}
	return sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %u", ret_flags) == 1;
}

static bool allowed_cpus(int dir, struct idset *ret)
{
	static const char key[] = "\nCpus_allowed_list:";
	char text[65536], *at, *end;

	if (hostfs_text(dir, "status", text, sizeof(text)) < 0)
		return false;
	at = strstr(text, key);
	if (at == NULL)
		return false;
	at += sizeof(key) - 1;
	end = strchr(at, '\n');
	if (end != NULL)
		*end = '\0';
	return idset_parse_below(at, IDSET_MAX, ret) >= 0;
}

// In a cgroup of pinfold's: its CPUs are its own, or a grant's whose shared ones it has.
static bool has_lease(int dir)
{
	char text[16384];

	return hostfs_text(dir, "cgroup", text, sizeof(text)) >= 0
	       && strstr(text, "/pinfold/") != NULL;
}

struct tasks {
	host_task_fn fn;
	void *arg;
};

static void read_task(int dir, const char *pid, void *arg)
{
	const struct tasks *all = arg;
	_cleanup_closedir_ DIR *threads = NULL;
	struct host_task t = {.pid = pid};
	char text[1024], *name;
	const char *thread;
	unsigned flags;

	if (hostfs_text(dir, "stat", text, sizeof(text)) < 0 || !parse_stat(text, &name, &flags)
	    || !allowed_cpus(dir, &t.may))
		return;
	t.name = name;
	t.kernel = (flags & PF_KTHREAD) != 0;
	t.bound = t.kernel && (flags & PF_NO_SETAFFINITY) != 0;
	t.leased = !t.kernel && has_lease(dir);
	if (all->fn(&t, all->arg) || t.kernel)
		return;
	// the lcores of a DPDK program are bound, its first thread need not be
	threads = hostfs_opendir(dir, "task");
	while (threads != NULL && (thread = hostfs_next(threads)) != NULL) {
		_cleanup_close_ int of =
			str_eq(thread, pid) ? -1 : hostfs_dir(dirfd(threads), thread);

		if (of >= 0 && allowed_cpus(of, &t.may) && all->fn(&t, all->arg))
			return;
	}
}

void host_tasks_each(const struct hostfs *fs, host_task_fn fn, void *arg)
{
	struct tasks all = {fn, arg};

	each_numbered(fs, "proc", read_task, &all);
}

static bool count_task(const struct host_task *t, void *arg)
{
	struct noise *n = arg;
	bool pinned = !t->kernel && !t->leased && idset_subset(&t->may, n->cpus);

	if (pinned)
		count(&n->ret->pinned, t->pid, t->name);
	// one that is bound to its CPU cannot be moved, and sleeps while nothing is asked of it
	else if (t->kernel && !t->bound && idset_intersects(&t->may, n->cpus))
		count(&n->ret->kthreads, t->pid, t->name);
	return pinned;
}

void host_noise(const struct hostfs *fs, const struct idset *cpus, struct host_noise *ret)
{
	struct noise n = {cpus, ret};
	struct irqs i = {"effective_affinity_list", "smp_affinity_list", count_irq, &n};

	*ret = (struct host_noise){0};
	// where it really goes; older kernels know only where it may go
	each_numbered(fs, "proc/irq", read_irq, &i);
	host_tasks_each(fs, count_task, &n);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /proc/irq as described in the kernel's Documentation/core-api/irq/irq-affinity.rst; the fields of
// /proc/PID/stat and /proc/PID/status in proc(5).

#include "host/noise.h"

#include "base/scope.h"
#include "host/hostfs.h"

#include <ctype.h>
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

static void read_irqs(const struct hostfs *fs, const struct idset *cpus, struct host_noise *ret)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, "proc/irq");
	const char *number;

	while (d != NULL && (number = hostfs_next(d)) != NULL) {
		_cleanup_close_ int dir = -1;
		char path[64], handler[64];
		struct idset may;

		if (!is_number(number) || strlen(number) > 20)
			continue;
		snprintf(path, sizeof(path), "proc/irq/%s", number);
		dir = hostfs_dir(fs->root, path);
		// where it really goes; older kernels know only where it may go
		if (dir < 0
		    || (hostfs_idset(dir, "effective_affinity_list", IDSET_MAX, &may) < 0
			&& hostfs_idset(dir, "smp_affinity_list", IDSET_MAX, &may) < 0))
			continue;
		if (idset_intersects(&may, cpus) && handler_of(dir, handler, sizeof(handler)))
			count(&ret->irqs, number, handler);
	}
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

static void read_process(int dir, const char *pid, const struct idset *cpus, struct host_noise *ret)
{
	char text[1024], *name;
	struct idset may;
	unsigned flags;

	if (hostfs_text(dir, "stat", text, sizeof(text)) < 0 || !parse_stat(text, &name, &flags)
	    || !allowed_cpus(dir, &may))
		return;
	if ((flags & PF_KTHREAD) == 0) {
		if (idset_subset(&may, cpus))
			count(&ret->pinned, pid, name);
	} else if ((flags & PF_NO_SETAFFINITY) == 0 && idset_intersects(&may, cpus)) {
		// one that is bound to its CPU cannot be moved, and sleeps while nothing is asked of it
		count(&ret->kthreads, pid, name);
	}
}

static void read_processes(
	const struct hostfs *fs, const struct idset *cpus, struct host_noise *ret
)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, "proc");
	const char *pid;

	while (d != NULL && (pid = hostfs_next(d)) != NULL) {
		_cleanup_close_ int dir = -1;
		char path[64];

		if (!is_number(pid) || strlen(pid) > 20)
			continue;
		snprintf(path, sizeof(path), "proc/%s", pid);
		dir = hostfs_dir(fs->root, path);
		if (dir >= 0)
			read_process(dir, pid, cpus, ret);
	}
}

void host_noise(const struct hostfs *fs, const struct idset *cpus, struct host_noise *ret)
{
	*ret = (struct host_noise){0};
	read_irqs(fs, cpus, ret);
	read_processes(fs, cpus, ret);
}

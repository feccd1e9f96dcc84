// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/ticks.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <string.h>

// The columns of /proc/interrupts: "     CPU0  CPU2", one for each CPU that is online.
static int read_columns(char *line, struct host_tick **ret, unsigned *ret_n, struct err *err)
{
	char *save = NULL;
	unsigned n = 0;

	for (char *w = strtok_r(line, " \n", &save); w != NULL; w = strtok_r(NULL, " \n", &save)) {
		struct host_tick *more = realloc(*ret, (n + 1) * sizeof(**ret));
		uint64_t cpu;

		if (more == NULL)
			return err_oom(err);
		*ret = more;
		if (!str_starts(w, "CPU") || host_parse_u64(w + 3, 10, "", &cpu) < 0
		    || cpu >= IDSET_MAX)
			return err_set(err, EINVAL, "'/proc/interrupts': '%.16s' is no CPU", w);
		(*ret)[n++] = (struct host_tick){.cpu = (unsigned)cpu};
	}
	*ret_n = n;
	return 0;
}

// "LOC:   4711   4712   Local timer interrupts", "ERR: 0": as many numbers as there are columns, or less.
static void add_line(const char *line, struct host_tick *ticks, unsigned n)
{
	const char *p = line + strspn(line, " ");
	bool timer = str_starts(p, "LOC:") || strstr(p, "arch_timer") != NULL;

	p = strchr(p, ':');
	for (unsigned i = 0; p != NULL && i < n; i++) {
		char *end;
		unsigned long long v;

		p++;
		p += strspn(p, " ");
		if (*p < '0' || *p > '9')
			return;
		v = strtoull(p, &end, 10);
		ticks[i].interrupts += v;
		if (timer)
			ticks[i].timer += v;
		p = *end == ' ' ? end : NULL;
	}
}

// "cpu1 user nice system idle iowait irq softirq steal …"
static void add_time(const char *line, struct host_tick *ticks, unsigned n)
{
	unsigned long long t[8] = {0};
	unsigned cpu;

	if (sscanf(line,
		   "cpu%u %llu %llu %llu %llu %llu %llu %llu %llu",
		   &cpu,
		   &t[0],
		   &t[1],
		   &t[2],
		   &t[3],
		   &t[4],
		   &t[5],
		   &t[6],
		   &t[7])
	    < 5)
		return;
	for (unsigned i = 0; i < n; i++) {
		if (ticks[i].cpu != cpu)
			continue;
		ticks[i].busy = t[0] + t[1] + t[2] + t[5] + t[6];
		ticks[i].idle = t[3] + t[4];
		ticks[i].stolen = t[7];
	}
}

int host_ticks(const struct hostfs *fs, struct host_tick **ret, unsigned *ret_n, struct err *err)
{
	_cleanup_fclose_ FILE *interrupts = hostfs_fopen(fs->root, "proc/interrupts");
	_cleanup_fclose_ FILE *stat = NULL;
	struct host_tick *ticks scope_cleanup(scope_free) = NULL;
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	unsigned n = 0;

	if (interrupts == NULL || getline(&line, &room, interrupts) < 0)
		return err_sys(err, errno != 0 ? errno : EIO, "read '/proc/interrupts'");
	if (read_columns(line, &ticks, &n, err) < 0)
		return -err->code;
	while (getline(&line, &room, interrupts) >= 0)
		add_line(line, ticks, n);
	stat = hostfs_fopen(fs->root, "proc/stat");
	while (stat != NULL && getline(&line, &room, stat) >= 0) {
		if (str_starts(line, "cpu") && line[3] != ' ')
			add_time(line, ticks, n);
	}
	*ret = steal_ptr(ticks);
	*ret_n = n;
	return 0;
}

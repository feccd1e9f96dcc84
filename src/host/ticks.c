// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/ticks.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <string.h>

// The columns of /proc/interrupts: "     CPU0  CPU2", one for each CPU that is online.
static int read_columns(char *line, struct idset *ret, struct err *err)
{
	str_foreach (w, line, " \n") {
		uint64_t cpu;

		if (!str_starts(w, "CPU") || host_parse_u64(w + 3, 10, "", &cpu) < 0
		    || cpu >= IDSET_MAX)
			return err_set(err, EINVAL, "'/proc/interrupts': '%.16s' is no CPU", w);
		idset_add(ret, (unsigned)cpu);
	}
	return 0;
}

// "LOC:   4711   4712   Local timer interrupts", "ERR: 0": as many numbers as there are columns, or less.
static bool read_line(char *line, struct host_interrupt *ret, uint64_t *count, unsigned columns)
{
	char *p = strchr(line, ':');

	if (p == NULL)
		return false;
	*p++ = '\0';
	*ret = (struct host_interrupt){.name = line + strspn(line, " "), .count = count};
	for (p += strspn(p, " "); ret->n < columns && *p >= '0' && *p <= '9'; p += strspn(p, " "))
		count[ret->n++] = strtoull(p, &p, 10);
	p[strcspn(p, "\n")] = '\0';
	ret->behind = p;
	return true;
}

int host_interrupts(
	const struct hostfs *fs,
	struct idset *ret,
	host_interrupt_fn *fn,
	void *arg,
	struct err *err
)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, "proc/interrupts");
	uint64_t *count scope_cleanup(scope_free) = NULL;
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	*ret = (struct idset){0};
	if (f == NULL || getline(&line, &room, f) < 0)
		return err_sys(err, errno != 0 ? errno : EIO, "read '/proc/interrupts'");
	if (read_columns(line, ret, err) < 0)
		return -err->code;
	count = calloc(idset_count(ret) + 1, sizeof(*count));
	if (count == NULL)
		return err_oom(err);
	while (getline(&line, &room, f) >= 0) {
		struct host_interrupt i;

		if (read_line(line, &i, count, idset_count(ret)))
			fn(&i, arg);
	}
	return 0;
}

static void add_interrupts(const struct host_interrupt *i, void *arg)
{
	struct host_tick *ticks = arg;
	bool timer = str_eq(i->name, "LOC") || strstr(i->behind, "arch_timer") != NULL;

	for (unsigned k = 0; k < i->n; k++) {
		ticks[k].interrupts += i->count[k];
		if (timer)
			ticks[k].timer += i->count[k];
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
	struct host_tick *ticks scope_cleanup(scope_free) = calloc(IDSET_MAX, sizeof(*ticks));
	_cleanup_fclose_ FILE *stat = NULL;
	_cleanup_free_ char *line = NULL;
	struct idset cpus;
	size_t room = 0;
	unsigned n = 0;

	if (ticks == NULL)
		return err_oom(err);
	if (host_interrupts(fs, &cpus, add_interrupts, ticks, err) < 0)
		return -err->code;
	for (int cpu = idset_first(&cpus); cpu >= 0; cpu = idset_next(&cpus, (unsigned)cpu + 1))
		ticks[n++].cpu = (unsigned)cpu;
	stat = hostfs_fopen(fs->root, "proc/stat");
	while (stat != NULL && getline(&line, &room, stat) >= 0) {
		if (str_starts(line, "cpu") && line[3] != ' ')
			add_time(line, ticks, n);
	}
	*ret = steal_ptr(ticks);
	*ret_n = n;
	return 0;
}

const struct host_tick *host_tick_of(const struct host_tick *ticks, unsigned n, unsigned cpu)
{
	for (unsigned i = 0; i < n; i++) {
		if (ticks[i].cpu == cpu)
			return &ticks[i];
	}
	return NULL;
}

static double percent(double part, const struct host_tick *from, const struct host_tick *to)
{
	double all = host_tick_since(from->busy, to->busy)
		     + host_tick_since(from->stolen, to->stolen)
		     + host_tick_since(from->idle, to->idle);

	return all > 0 ? 100 * part / all : -1;
}

double host_tick_busy(const struct host_tick *from, const struct host_tick *to)
{
	return percent(host_tick_since(from->busy, to->busy), from, to);
}

double host_tick_stolen(const struct host_tick *from, const struct host_tick *to)
{
	return percent(host_tick_since(from->stolen, to->stolen), from, to);
}

// -1: not known, or the CPU came or went.
static double busy_of(const struct host_count *c, unsigned cpu)
{
	const struct host_tick *from = host_tick_of(c->from, c->nfrom, cpu);
	const struct host_tick *to = host_tick_of(c->to, c->nto, cpu);

	return from != NULL && to != NULL ? host_tick_busy(from, to) : -1;
}

json_t *host_count_row(const struct host_count *c, const struct host *h, unsigned cpu)
{
	const struct host_tick *a = host_tick_of(c->from, c->nfrom, cpu);
	const struct host_tick *b = host_tick_of(c->to, c->nto, cpu);
	const struct host_cpu *self = host_cpu(h, cpu);
	double sibling = -1;

	if (a == NULL || b == NULL || self == NULL)
		return NULL;
	idset_foreach (s, &self->siblings) {
		double busy = s != (int)cpu ? busy_of(c, (unsigned)s) : -1;

		if (busy > sibling)
			sibling = busy;
	}
	return json_pack(
		"{s:i, s:b, s:b, s:f, s:f, s:o, s:o, s:o}",
		"cpu",
		(int)cpu,
		"isolated",
		idset_has(&h->isolated, cpu),
		"tickless",
		idset_has(&h->nohz_full, cpu),
		"ticks",
		host_tick_since(a->timer, b->timer) / c->seconds,
		"interrupts",
		host_tick_since(a->interrupts, b->interrupts) / c->seconds,
		"busy",
		json_real_or_null(host_tick_busy(a, b)),
		"stolen",
		json_real_or_null(host_tick_stolen(a, b)),
		"sibling",
		json_real_or_null(sibling)
	);
}

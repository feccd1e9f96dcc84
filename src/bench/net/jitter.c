// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// §4.0: what is taken from a core that polls, and by whom, on CPUs with and without a tick.

#include "base/clock.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/net/control.h"
#include "bench/net/cpus.h"
#include "bench/net/sides.h"
#include "host/ticks.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define SOURCES 1024 // lines of /proc/interrupts

// Looks at the TSC as fast as it can and takes down gaps.
static const struct function function_irq = {
	.name = "irq",
	.vnf = "[core 0]\n"
	       "mode=master\n"
	       "[core 1]\n"
	       "name=jitter\n"
	       "task=0\n"
	       "mode=irq\n"
	       "threshold=1us\n",
	.pages = 16,
};

enum {
	GAPS,
	MEDIAN,
	P99,
	P999,
	MAX,
	SHARE,
	TICKS,
	VALUES
};

struct settings {
	double seconds;
	int cpu;
	char sources[400]; // of the last trial, for the remark
};

// ---- interrupts

struct source {
	char name[64];
	uint64_t n;
};

// Those of one CPU.
struct sources {
	int cpu;
	struct idset cpus;
	unsigned n;
	struct source of[SOURCES];
};

static void add_source(const struct host_interrupt *i, void *arg)
{
	struct sources *s = arg;
	struct source *to = &s->of[s->n];
	const char *last = strrchr(i->behind, ' '), *name = i->name;
	unsigned column = 0;

	for (int cpu = idset_first(&s->cpus); cpu >= 0 && cpu < s->cpu;
	     cpu = idset_next(&s->cpus, (unsigned)cpu + 1))
		column++;
	if (i->n <= column || s->n == SOURCES)
		return;
	// what is behind the counts says what a number is
	if (isdigit((unsigned char)name[0]) && last != NULL)
		name = last + 1;
	snprintf(to->name, sizeof(to->name), "%s", name);
	to->n = i->count[column];
	s->n++;
}

static void read_interrupts(int cpu, struct sources *ret)
{
	struct hostfs fs;
	struct err err;

	*ret = (struct sources){.cpu = cpu};
	if (hostfs_open("/", &fs, &err) < 0)
		return;
	host_interrupts(&fs, &ret->cpus, add_source, ret, &err);
	hostfs_close(&fs);
}

// The largest differences a second, as "LOC 250, RES 12". The ticks are those of the local timer.
static double differences(
	const struct sources *before,
	const struct sources *after,
	double seconds,
	char *buf,
	size_t len
)
{
	const struct source *a = before->of, *b = after->of;
	const unsigned n = after->n;
	double ticks = NAN;
	bool used[SOURCES] = {0};

	buf[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		if (str_eq(a[i].name, "LOC"))
			ticks = (double)(b[i].n - a[i].n) / seconds;
	}
	for (unsigned k = 0; k < 5; k++) {
		unsigned best = n;

		for (unsigned i = 0; i < n; i++) {
			if (!used[i] && b[i].n > a[i].n
			    && (best == n || b[i].n - a[i].n > b[best].n - a[best].n))
				best = i;
		}
		if (best == n)
			break;
		used[best] = true;
		str_add(buf,
			len,
			", ",
			"%s %.1f",
			b[best].name,
			(double)(b[best].n - a[best].n) / seconds);
	}
	return ticks;
}

// ---- a trial

static double of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? json_number_value(v) : 0;
}

static int measure(struct compare *c, struct rig *rig, struct trial *t, struct err *err)
{
	struct settings *s = c->arg;
	struct rig_drover *d = &rig->vnf;
	_cleanup_json_ json_t *answer = NULL;
	struct sources before, after;
	const json_t *report, *gap;
	double seconds;

	bench_pause(100);
	read_interrupts(s->cpu, &before);
	if (control_tell(d->control, d->what, json_pack("{s:s}", "request", "clear"), err) < 0)
		return -err->code;
	bench_pause((unsigned)(1e3 * s->seconds));
	if (control_ask(d->control, d->what, json_pack("{s:s}", "request", "irq"), &answer, err)
	    < 0)
		return -err->code;
	read_interrupts(s->cpu, &after);
	if (after.n != before.n)
		return err_set(err, EAGAIN, "an interrupt was taken or given up meanwhile");
	report = json_object_iter_value(json_object_iter(json_object_get(answer, "tasks")));
	gap = json_object_get(report, "gap");
	seconds = of(report, "measured_seconds");
	if (seconds <= 0)
		return err_set(err, EPROTO, "%s has measured nothing", d->what);
	t->value[GAPS] = of(report, "gaps") / seconds;
	t->value[MEDIAN] = of(gap, "p50") / 1e3;
	t->value[P99] = of(gap, "p99") / 1e3;
	t->value[P999] = of(gap, "p99.9") / 1e3;
	t->value[MAX] = of(gap, "max") / 1e3;
	t->value[SHARE] = 100 * of(report, "lost_share");
	t->value[TICKS] = differences(&before, &after, seconds, s->sources, sizeof(s->sources));
	return 0;
}

static int on_cpu(
	struct bench *b,
	struct result *r,
	const char *kind,
	int cpu,
	struct settings *s,
	struct err *err
)
{
	struct compare c = {
		.what = kind,
		.function = &function_irq,
		.size = function_none.sizes,
		.nsides = 2,
		.side = {{.env = &b->env[ENV_HOST]}, {.env = &b->env[ENV_CONTAINER]}},
		.cpu = 1 + cpu,
		.nvalues = VALUES,
		.value =
			{
				[GAPS] =
					{.name = "gaps of 1 µs and more",
					 .unit = "/s",
					 .less = true},
				[MEDIAN] = {.name = "gap, median", .unit = "µs", .less = true},
				[P99] = {.name = "gap, 99 %", .unit = "µs", .less = true},
				[P999] = {.name = "gap, 99.9 %", .unit = "µs", .less = true},
				[MAX] = {.name = "gap, longest", .unit = "µs", .less = true},
				[SHARE] =
					{.name = "share of the core's time in gaps",
					 .unit = "%",
					 .less = true,
					 .ratio = true},
				[TICKS] = {.name = "timer interrupts", .unit = "/s", .less = true},
			},
		.rounds = compare_rounds(b, 5, 12),
		.measure = measure,
		.arg = s,
	};
	int done;

	s->cpu = cpu;
	s->sources[0] = '\0';
	done = compare_run(b, r, &c, err);
	for (unsigned i = 0; i < c.nsides; i++) {
		struct row *row = c.row[i][TICKS];

		if (row == NULL)
			continue;
		// the longest of so many seconds
		row_alone(c.row[i][MAX]);
		row_paper(
			row,
			NAN,
			"a full dyntick kernel has no advantage for these functions (§6.4.1)"
		);
		if (s->sources[0] != '\0')
			row_text(
				row,
				"CPU %d; interrupts a second in the last trial: %s",
				cpu,
				s->sources
			);
	}
	return done;
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	struct settings s = {.seconds = compare_tiny() ? 0.2 : b->size != BENCH_FULL ? 1 : 10};
	struct cpu_kind kinds[CPU_KINDS];

	cpu_kinds(b, kinds);
	for (unsigned i = 0; i < CPU_KINDS; i++) {
		const struct cpu_kind *k = &kinds[i];

		if (k->cpu < 0)
			result_missing(r, k->name, NULL, "%s", k->why);
		else if (on_cpu(b, r, k->name, k->cpu, &s, err) < 0)
			return -err->code;
	}
	result_missing(
		r,
		"osnoise tracer",
		NULL,
		access("/sys/kernel/tracing/osnoise", F_OK) != 0
			? "this kernel has none, or tracefs is not mounted"
			: "this kernel has it, and this version does not read it: /proc/interrupts "
			  "says what came"
	);
	return 0;
}

static bool jitter_lacks(const struct bench *b, struct reasons *r)
{
	if (b->drover == NULL)
		lacks(r, "drover is not beside pinfold");
	return b->drover != NULL;
}

static const struct experiment jitter = {
	.name = "jitter",
	.figure = "§4.0",
	.title = "What is taken from a core that polls",
	.about = "A core of drover that looks at its clock all the time and takes down every gap "
		 "of a "
		 "microsecond and more, as a bare process and in a container, on normal, isolated "
		 "and "
		 "nohz_full CPUs; and which interrupts came.",
	.dropped[BENCH_QUICK] = "long trials",
	.seconds = {30, 280},
	.order = 100,
	.lacks = jitter_lacks,
	.run = run,
};
EXPERIMENT(jitter);

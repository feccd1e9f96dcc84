// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The control side of the generator: what was offered of what was asked for.

#include "task/gen/gen.h"
#include "text/figure.h"
#include "tsc.h"

#include <jansson.h>
#include <rte_cycles.h>

static struct gen_figures figures(const struct gen *g)
{
	uint64_t last = __atomic_load_n(&g->last, __ATOMIC_RELAXED);
	struct gen_figures f = {
		.sent = __atomic_load_n(&g->n.sent, __ATOMIC_RELAXED) - g->base.sent,
		.full = __atomic_load_n(&g->n.full, __ATOMIC_RELAXED) - g->base.full,
		.late = __atomic_load_n(&g->n.late, __ATOMIC_RELAXED) - g->base.late,
		.bytes = __atomic_load_n(&g->n.bytes, __ATOMIC_RELAXED) - g->base.bytes,
		.delayed = __atomic_load_n(&g->n.delayed, __ATOMIC_RELAXED) - g->base.delayed,
		.active = g->n.active + (last - g->since) - g->base.active,
	};

	if (g->many == NULL)
		f.bytes = f.sent * g->size;
	return f;
}

// Of packets, bytes or cycles: how many a second.
static double per_second(double n, const struct gen_figures *f)
{
	return f->active > 0 ? n * (double)tsc_hz() / (double)f->active : 0;
}

static double seconds(uint64_t cycles)
{
	return (double)cycles / (double)tsc_hz();
}

// With CRC, preamble and gap.
static double wire_bits(const struct gen_figures *f)
{
	return 8.0 * ((double)f->bytes + WIRE_OVERHEAD * (double)f->sent);
}

static double mean_size(const struct gen *g)
{
	return g->many != NULL ? g->many->wire - WIRE_OVERHEAD : g->size;
}

static void report_many(const struct gen *g, const struct gen_figures *f, json_t *object)
{
	const struct gen_many *m = g->many;

	if (m->whole)
		json_object_set_new(object, "capture_packets", json_integer(m->n));
	else
		json_object_set_new(object, "pkt_sizes", json_integer(m->sizes));
	if (m->gap != NULL) {
		json_object_set_new(object, "delayed_ns", json_real(1e9 * seconds(f->delayed)));
		json_object_set_new(object, "odd_times", json_integer(m->odd));
	}
}

void gen_report(struct task *t, void *object)
{
	const struct gen *g = t->state;
	struct gen_figures f = figures(g);
	double asked = task_rate(&t->control);
	json_t *o = json_pack(
		"{s:o,s:f,s:f,s:f,s:I,s:I,s:I,s:I,s:o,s:i}",
		"asked_pps",
		// 0: as fast as it can
		figure_number(asked),
		"offered_pps",
		per_second((double)f.sent, &f),
		"asked_bits_per_second",
		8.0 * asked * (mean_size(g) + WIRE_OVERHEAD),
		"offered_bits_per_second",
		per_second(wire_bits(&f), &f),
		"sent",
		(json_int_t)f.sent,
		"behind",
		(json_int_t)(f.full + f.late),
		"behind_output",
		(json_int_t)f.full,
		"behind_generator",
		(json_int_t)f.late,
		"pkt_size",
		g->many != NULL ? json_real(mean_size(g)) : json_integer(g->size),
		"stream",
		(int)g->stream
	);

	if (o != NULL && g->many != NULL)
		report_many(g, &f, o);
	if (o != NULL)
		json_object_update(object, o);
	json_decref(o);
}

void gen_clear(struct task *t)
{
	struct gen *g = t->state;
	struct gen_figures f = figures(g);

	g->base.sent += f.sent;
	g->base.full += f.full;
	g->base.late += f.late;
	g->base.active += f.active;
	g->base.delayed += f.delayed;
	if (g->many != NULL)
		g->base.bytes += f.bytes;
}

// The capture took a thousandth longer than it should have.
static bool delayed(const struct gen_figures *f, char *line, size_t len)
{
	char late[FIGURE_STR];

	if (f->delayed * 1000 <= f->active)
		return false;
	snprintf(
		line,
		len,
		"the capture's packets were sent late, all in all by %s",
		figure_time(1e9 * seconds(f->delayed), late)
	);
	return true;
}

static bool odd(const struct gen *g, char *line, size_t len)
{
	if (g->many == NULL || g->many->odd == 0)
		return false;
	snprintf(
		line,
		len,
		"%u of the capture's %u times cannot be: no time passed until those",
		g->many->odd,
		g->many->n
	);
	return true;
}

// More than one in a thousand was not offered.
bool gen_verdict(struct task *t, char *line, size_t len)
{
	const struct gen *g = t->state;
	struct gen_figures f = figures(g);
	uint64_t behind = f.full + f.late;
	char offered[FIGURE_STR], asked[FIGURE_STR];

	if (behind * 1000 <= f.sent + behind)
		return delayed(&f, line, len) || odd(g, line, len);
	snprintf(
		line,
		len,
		"offered %s of %s: %s was the limit",
		figure_pps(per_second((double)f.sent, &f), offered),
		figure_pps(per_second((double)(f.sent + behind), &f), asked),
		f.full >= f.late ? "the generator's output" : "the generator"
	);
	return true;
}

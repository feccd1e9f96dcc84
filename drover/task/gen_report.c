// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The control side of the generator: what was offered of what was asked for.

#include "stats/figure.h"
#include "task/gen.h"

#include <jansson.h>
#include <rte_cycles.h>

static struct gen_figures figures(const struct gen *g)
{
	uint64_t last = __atomic_load_n(&g->last, __ATOMIC_RELAXED);

	return (struct gen_figures){
		.sent = __atomic_load_n(&g->n.sent, __ATOMIC_RELAXED) - g->base.sent,
		.full = __atomic_load_n(&g->n.full, __ATOMIC_RELAXED) - g->base.full,
		.late = __atomic_load_n(&g->n.late, __ATOMIC_RELAXED) - g->base.late,
		.active = g->n.active + (last - g->since) - g->base.active,
	};
}

// Packets a second.
static double per_second(uint64_t packets, const struct gen_figures *f)
{
	return f->active > 0 ? (double)packets * (double)rte_get_tsc_hz() / (double)f->active : 0;
}

void gen_report(struct task *t, void *object)
{
	const struct gen *g = t->state;
	struct gen_figures f = figures(g);
	uint64_t asked = __atomic_load_n(&t->control.rate, __ATOMIC_RELAXED);
	json_t *o = json_pack(
		"{s:I,s:f,s:I,s:I,s:I,s:I,s:i,s:i}",
		"asked_pps",
		(json_int_t)asked, // 0: as fast as it can
		"offered_pps",
		per_second(f.sent, &f),
		"sent",
		(json_int_t)f.sent,
		"behind",
		(json_int_t)(f.full + f.late),
		"behind_output",
		(json_int_t)f.full,
		"behind_generator",
		(json_int_t)f.late,
		"pkt_size",
		(int)g->size,
		"stream",
		(int)g->stream
	);

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
}

// More than one in a thousand was not offered.
bool gen_verdict(struct task *t, char *line, size_t len)
{
	const struct gen *g = t->state;
	struct gen_figures f = figures(g);
	uint64_t behind = f.full + f.late;
	char offered[FIGURE_STR], asked[FIGURE_STR];

	if (behind * 1000 <= f.sent + behind)
		return false;
	snprintf(
		line,
		len,
		"offered %s of %s: %s was the limit",
		figure_pps(per_second(f.sent, &f), offered),
		figure_pps(per_second(f.sent + behind, &f), asked),
		f.full >= f.late ? "the generator's output" : "the generator"
	);
	return true;
}

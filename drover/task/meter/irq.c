// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// irq: what takes the core away from who polls on it (paper §6.4: with and without dyntick). It looks
// at the TSC again and again; when two looks are further apart than the threshold, something else ran in
// between: an interrupt, another thread, the hypervisor. A packet that came then waited so long.
//
// Alone on its core it sees only what is not drover's. Tasks beside it on the core are gaps too.

#include "record/hdr_pair.h"
#include "task/task.h"
#include "text/figure.h"
#include "tsc.h"

#include <inttypes.h>
#include <jansson.h>
#include <rte_cycles.h>

#define LOOKS 256 // of one poll: some 5 us
#define THRESHOLD 1000

struct irq_conf {
	uint64_t threshold; // ns
	bool buckets;
};

// What adds up; one writer, the lcore.
struct irq_sums {
	uint64_t looks;
	uint64_t time; // cycles looked over
};

struct irq {
	uint64_t last;	    // TSC of the last look; 0: none
	uint64_t threshold; // cycles
	uint32_t epoch;	    // of the control side, when the last look was taken
	struct irq_sums sums;
	struct hdr_pair gaps; // in cycles, those of the threshold or more

	// of the control side
	bool buckets;
	struct irq_sums base; // at the last clear
};

static uint16_t poll_irq(struct task *t)
{
	struct irq *q = t->state;
	uint32_t epoch = __atomic_load_n(&t->control.epoch, __ATOMIC_RELAXED);
	uint64_t threshold = q->threshold, last = q->last, begin;

	hdr_pair_swap(&q->gaps);
	// the time in which it was told to stand still is nobody's theft
	if (unlikely(last == 0 || epoch != q->epoch)) {
		q->epoch = epoch;
		last = rte_rdtsc();
	}
	begin = last;
	for (unsigned i = 0; i < LOOKS; i++) {
		uint64_t now = rte_rdtsc();

		if (unlikely(now - last >= threshold))
			hdr_record(hdr_pair_mine(&q->gaps), now - last);
		last = now;
	}
	q->last = last;
	q->sums.time += last - begin;
	q->sums.looks += LOOKS;
	return 0;
}

static int init_irq(struct task *t, const void *arg, struct err *err)
{
	const struct irq_conf *c = arg;
	struct irq *q = t->state;

	(void)err;
	q->threshold = (uint64_t)((double)c->threshold * (double)tsc_hz() / 1e9);
	q->buckets = c->buckets;
	hdr_pair_init(&q->gaps);
	t->poll = poll_irq;
	return 0;
}

// ---- the control side

static struct irq_sums sums(const struct irq *q)
{
	return (struct irq_sums){
		__atomic_load_n(&q->sums.looks, __ATOMIC_RELAXED) - q->base.looks,
		__atomic_load_n(&q->sums.time, __ATOMIC_RELAXED) - q->base.time,
	};
}

static double share(const struct hdr *h, const struct irq_sums *s)
{
	double part = s->time > 0 ? (double)h->sum / (double)s->time : 0;

	// the two are not read at one moment
	return part < 1 ? part : 1;
}

// How many gaps were so long, but shorter than the next of the list. From a histogram whose buckets are
// less than 1 % wide: a gap that close to an edge may count on either side.
static json_t *by_length(const struct hdr *h, double ns)
{
	static const struct {
		const char *name;
		double ns;
	} edges[] = {
		{"0", 0},
		{"1 us", 1e3},
		{"5 us", 5e3},
		{"10 us", 1e4},
		{"50 us", 5e4},
		{"100 us", 1e5},
		{"500 us", 5e5},
		{"1 ms", 1e6},
		{"5 ms", 5e6},
		{"10 ms", 1e7},
		{"50 ms", 5e7},
		{"100 ms", 1e8},
		{"500 ms", 5e8},
	};
	json_t *o = json_object();
	unsigned bucket = 0;

	for (unsigned i = 0; i < RTE_DIM(edges); i++) {
		double end = i + 1 < RTE_DIM(edges) ? edges[i + 1].ns : 0;
		uint64_t n = 0;

		for (; bucket < HDR_BUCKETS; bucket++) {
			if (end > 0 && (double)hdr_upper(bucket) * ns >= end)
				break;
			n += h->buckets[bucket];
		}
		json_object_set_new(o, edges[i].name, json_integer((json_int_t)n));
	}
	return o;
}

static void report_irq(struct task *t, void *object)
{
	struct irq *q = t->state;
	double ns = 1e9 / (double)tsc_hz();
	const struct hdr *h = hdr_pair_view(&q->gaps);
	struct irq_sums s = sums(q);
	double calm = (double)s.time - (double)h->sum;

	json_object_set_new(object, "measured_seconds", json_real((double)s.time * ns / 1e9));
	json_object_set_new(object, "threshold_ns", json_real((double)q->threshold * ns));
	json_object_set_new(object, "looks", json_integer((json_int_t)s.looks));
	// what the meter can tell apart
	json_object_set_new(
		object,
		"look_ns",
		s.looks > 0 && calm > 0 ? json_real(calm * ns / (double)s.looks) : json_null()
	);
	json_object_set_new(object, "gaps", json_integer((json_int_t)h->count));
	json_object_set_new(object, "lost_ns", json_real((double)h->sum * ns));
	json_object_set_new(object, "lost_share", json_real(share(h, &s)));
	json_object_set_new(object, "gap", hdr_json(h, ns));
	json_object_set_new(object, "gaps_from", by_length(h, ns));
	if (q->buckets)
		json_object_set_new(object, "buckets", hdr_json_buckets(h, ns));
}

static void clear_irq(struct task *t)
{
	struct irq *q = t->state;

	hdr_pair_clear(&q->gaps);
	q->base.looks = __atomic_load_n(&q->sums.looks, __ATOMIC_RELAXED);
	q->base.time = __atomic_load_n(&q->sums.time, __ATOMIC_RELAXED);
}

static bool verdict_irq(struct task *t, char *line, size_t len)
{
	struct irq *q = t->state;
	double ns = 1e9 / (double)tsc_hz();
	const struct hdr *h = hdr_pair_view(&q->gaps);
	struct irq_sums s = sums(q);
	char from[FIGURE_STR], p99[FIGURE_STR], max[FIGURE_STR];

	if (s.looks == 0)
		return false;
	snprintf(
		line,
		len,
		"lost %.3g %% of %.3g s to %" PRIu64 " gaps of %s or more; p99 %s, the longest %s",
		100 * share(h, &s),
		(double)s.time * ns / 1e9,
		h->count,
		figure_time((double)q->threshold * ns, from),
		figure_time((double)hdr_percentile(h, 99) * ns, p99),
		figure_time((double)h->max * ns, max)
	);
	return true;
}

static void defaults_irq(void *arg)
{
	*(struct irq_conf *)arg = (struct irq_conf){.threshold = THRESHOLD};
}

#define KEY_CONF struct irq_conf
static const struct key keys[] = {
	KEY_TIME("threshold", threshold, "shorter gaps do not count; default 1us"),
	KEY_BOOL("buckets", buckets, "report the whole histogram; default no"),
	{NULL},
};

static struct task_mode irq = {
	.name = "irq",
	.help = "measures how often and for how long its core is taken away; no packets",
	.keys = keys,
	.conf_size = sizeof(struct irq_conf),
	.defaults = defaults_irq,
	.state_size = sizeof(struct irq),
	.init = init_irq,
	.report = report_irq,
	.clear = clear_irq,
	.verdict = verdict_irq,
};
TASK_MODE(irq)

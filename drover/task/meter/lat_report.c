// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The control side of the latency meter: says what was measured.

#include "task/meter/lat.h"
#include "task/meter/source.h"
#include "text/figure.h"
#include "tsc.h"

#include <inttypes.h>
#include <jansson.h>
#include <rte_cycles.h>

static struct seq_figures stream_figures(const struct lat *l, unsigned i)
{
	const struct seq_figures *n = &l->streams[i].n, *b = &l->stream_base[i];

#define SINCE(field) .field = __atomic_load_n(&n->field, __ATOMIC_RELAXED) - b->field
	return (struct seq_figures){
		SINCE(received),
		SINCE(expected),
		SINCE(duplicates),
		SINCE(reordered),
		SINCE(stale),
		SINCE(early),
		SINCE(before),
		SINCE(restarts),
	};
#undef SINCE
}

static uint64_t dropped(const struct task *t, unsigned reason)
{
	const struct lat *l = t->state;

	return __atomic_load_n(&t->counters.drops[reason], __ATOMIC_RELAXED)
	       - l->base.drops[reason];
}

// What no generator sent, as far as one can see: ARP, what switches and routers say to all.
static uint64_t unstamped(const struct task *t)
{
	return dropped(t, DROP_SHORT) + dropped(t, DROP_NO_METER);
}

// What was sent after the last packet that came: lost, or still on its way. It is known of generators of
// this process, and of those that send a number that was said.
static uint64_t after_last(const struct lat *l, unsigned i)
{
	const struct seq *s = &l->streams[i];
	const struct meter_source *from = source_find((uint8_t)i);
	uint16_t run = __atomic_load_n(&s->run, __ATOMIC_RELAXED);
	uint32_t next = __atomic_load_n(&s->next, __ATOMIC_RELAXED);
	uint64_t sent = l->count;
	int32_t more;

	if (from != NULL && run == (SEQ_RUN | from->run))
		sent = __atomic_load_n(from->sent, __ATOMIC_RELAXED);
	else if (from != NULL || run == 0)
		return 0; // of another run, or for another meter
	more = (int32_t)((uint32_t)sent - next);
	// next was read first: the generator may have gone on; with count= it may have sent more than that
	return more > 0 && sent > 0 ? (uint64_t)more : 0;
}

// Of all streams. lost is not a sum of the fields: seq_lost clamps each stream.
static struct seq_figures all_streams(const struct lat *l, uint64_t *ret_lost, uint64_t *ret_after)
{
	struct seq_figures all = {0};

	*ret_lost = *ret_after = 0;
	for (unsigned i = 0; i < l->nstreams; i++) {
		struct seq_figures n = stream_figures(l, i);

		all.received += n.received;
		all.expected += n.expected;
		all.duplicates += n.duplicates;
		all.reordered += n.reordered;
		all.stale += n.stale;
		all.before += seq_before(&n);
		all.restarts += n.restarts;
		*ret_lost += seq_lost(&n);
		*ret_after += after_last(l, i);
	}
	return all;
}

static int put(json_t *o, const char *key, uint64_t v)
{
	return json_object_set_new(o, key, json_integer((json_int_t)v));
}

static void put_figures(json_t *o, const struct seq_figures *n, uint64_t lost, uint64_t after)
{
	put(o, "received", n->received);
	put(o, "lost", lost);
	put(o, "after_last", after);
	put(o, "duplicates", n->duplicates);
	put(o, "reordered", n->reordered);
	put(o, "stale", n->stale);
	put(o, "before", seq_before(n));
	put(o, "restarts", n->restarts);
}

void lat_report(struct task *t, void *object)
{
	struct lat *l = t->state;
	double ns = 1e9 / (double)tsc_hz();
	json_t *streams = json_array();
	const struct hdr *h = hdr_pair_view(&l->times);
	uint64_t lost, after;
	struct seq_figures all = all_streams(l, &lost, &after);

	put_figures(object, &all, lost, after);
	put(object, "corrupt", dropped(t, DROP_CHECK));
	put(object, "unstamped", unstamped(t));
	put(object, "too_short", dropped(t, DROP_SHORT));
	put(object, "no_meter", dropped(t, DROP_NO_METER));
	put(object, "check_wrong", dropped(t, DROP_CHECK));
	put(object, "unknown_stream", dropped(t, DROP_STREAM));
	put(object, "negative", __atomic_load_n(&l->negative, __ATOMIC_RELAXED) - l->base.negative);
	for (unsigned i = 0; i < l->nstreams; i++) {
		struct seq_figures n = stream_figures(l, i);
		json_t *o;

		if (n.received == 0)
			continue;
		o = json_object();
		put(o, "stream", i);
		put_figures(o, &n, seq_lost(&n), after_last(l, i));
		json_array_append_new(streams, o);
	}
	json_object_set_new(object, "streams", streams);
	json_object_set_new(object, "latency", hdr_json(h, ns));
	if (l->buckets)
		json_object_set_new(object, "buckets", hdr_json_buckets(h, ns));
	json_object_set_new(object, "meter_error", hdr_json(&l->error, ns));
}

void lat_clear(struct task *t)
{
	struct lat *l = t->state;

	hdr_pair_clear(&l->times);
	l->base.negative = __atomic_load_n(&l->negative, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < DROP_END; i++)
		l->base.drops[i] = __atomic_load_n(&t->counters.drops[i], __ATOMIC_RELAXED);
	for (unsigned i = 0; i < l->nstreams; i++) {
		struct seq_figures n = stream_figures(l, i), *b = &l->stream_base[i];

		b->received += n.received;
		b->expected += n.expected;
		b->duplicates += n.duplicates;
		b->reordered += n.reordered;
		b->stale += n.stale;
		b->early += n.early;
		b->before += n.before;
		b->restarts += n.restarts;
	}
}

bool lat_verdict(struct task *t, char *line, size_t len)
{
	struct lat *l = t->state;
	const struct hdr *h = hdr_pair_view(&l->times);
	double ns = 1e9 / (double)tsc_hz();
	char last[64] = "";
	char p50[FIGURE_STR], p99[FIGURE_STR], error[FIGURE_STR];
	uint64_t lost, after;
	struct seq_figures all = all_streams(l, &lost, &after);

	if (all.received == 0) {
		snprintf(
			line,
			len,
			"nothing was received (%" PRIu64 " packets without a valid meter)",
			unstamped(t) + dropped(t, DROP_CHECK) + dropped(t, DROP_STREAM)
		);
		return true;
	}
	if (after > 0)
		snprintf(last, sizeof(last), ", %" PRIu64 " sent after the last that came", after);
	snprintf(
		line,
		len,
		"received %" PRIu64 ", lost %" PRIu64 " (%.4g %%)%s, duplicates %" PRIu64
		", reordered %" PRIu64 ", corrupt %" PRIu64 ", without a stamp %" PRIu64
		"; latency p50 %s, p99 %s, meter error p50 %s%s",
		all.received,
		lost,
		all.expected > 0 ? 100 * (double)lost / (double)all.expected : 0,
		last,
		all.duplicates,
		all.reordered,
		dropped(t, DROP_CHECK),
		unstamped(t),
		figure_time((double)hdr_percentile(h, 50) * ns, p50),
		figure_time((double)hdr_percentile(h, 99) * ns, p99),
		figure_time((double)hdr_percentile(&l->error, 50) * ns, error),
		all.restarts > 100 ? "; do two generators send the same stream?" : ""
	);
	return true;
}

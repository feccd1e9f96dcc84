// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/traffic.h"

#include "base/clock.h"
#include "base/jread.h"
#include "base/scope.h"
#include "bench/net/control.h"
#include "bench/net/process.h"

#include <math.h>

#define ARRIVE_MS 5	   // between two looks whether something still arrives
#define ARRIVE_MOST 100	   // looks
#define ATTEMPTS 5	   // at a window
#define SEARCH_ATTEMPTS 10 // at one of a search, which would be lost as a whole
#define EXCUSED 0.005 // share of a search's trial that stalls may explain: so far off a rate may be
#define LOWERED 4     // times that a search's highest load may turn out to be beyond the tester

static int tell(struct rig_drover *d, json_t *request, struct err *err)
{
	return control_tell(d->control, d->what, request, err);
}

int traffic_rate(struct rig *rig, unsigned gen, double pps, struct err *err)
{
	return tell(
		&rig->tester,
		json_pack(
			"{s:s, s:s, s:I}",
			"request",
			"rate",
			"task",
			rig->gen[gen],
			"pps",
			(json_int_t)llround(pps)
		),
		err
	);
}

int traffic_start(struct rig *rig, unsigned gen, struct err *err)
{
	return tell(
		&rig->tester,
		json_pack("{s:s, s:s}", "request", "start", "task", rig->gen[gen]),
		err
	);
}

int traffic_stop(struct rig *rig, struct err *err)
{
	for (unsigned i = 0; i < rig->ngens; i++) {
		if (tell(&rig->tester,
			 json_pack("{s:s, s:s}", "request", "stop", "task", rig->gen[i]),
			 err)
		    < 0)
			return -err->code;
	}
	return 0;
}

static int read_one(struct rig_drover *d, struct window *w, bool tester, struct err *err)
{
	_cleanup_json_ json_t *stats = NULL, *ports = NULL;
	const json_t *v;
	const char *name;

	if (control_ask(d->control, d->what, json_pack("{s:s}", "request", "stats"), &stats, err)
		    < 0
	    || control_ask(d->control, d->what, json_pack("{s:s}", "request", "ports"), &ports, err)
		       < 0)
		return -err->code;
	json_object_foreach (json_object_get(stats, "tasks"), name, v)
		window_add_task(w, v, tester);
	json_object_foreach (json_object_get(ports, "ports"), name, v)
		window_add_port(w, v);
	return 0;
}

int traffic_read(struct rig *rig, struct window *ret, struct err *err)
{
	struct window w;

	window_clear(&w);
	if (read_one(&rig->tester, &w, true, err) < 0)
		return -err->code;
	if (rig->vnf.control >= 0 && read_one(&rig->vnf, &w, false, err) < 0)
		return -err->code;
	*ret = w;
	return 0;
}

// The times of the CPUs, before and after.
struct ran {
	int64_t at, vnf, tester, waited;
};

static struct ran look(const struct rig *rig)
{
	// both polling threads are in one process
	const int threads = rig->how->link == RIG_RING ? 2 : 1;

	return (struct ran){
		.at = clock_ns(),
		.vnf = process_ran_ns(rig->vnf.pid),
		.tester = process_ran_ns(rig->tester.pid) / threads,
		.waited = process_waited_ns(rig->vnf.pid, rig->vnf.tid),
	};
}

// Of the time of traffic: what is between the looks and its begin and end counts as run.
static double ran(double seconds, int64_t wall, int64_t before, int64_t after)
{
	if (before < 0 || after < 0)
		return NAN;
	return seconds - fmax(0, (double)(wall - (after - before)) / 1e9);
}

static int begin(struct rig *rig, double pps, struct err *err)
{
	struct rig_drover *const both[] = {&rig->tester, &rig->vnf};

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		if (both[i]->control >= 0
		    && tell(both[i], json_pack("{s:s}", "request", "clear"), err) < 0)
			return -err->code;
	}
	for (unsigned i = 0; i < rig->ngens; i++) {
		if (traffic_rate(rig, i, pps / rig->ngens, err) < 0)
			return -err->code;
	}
	for (unsigned i = 0; i < rig->ngens; i++) {
		if (traffic_start(rig, i, err) < 0)
			return -err->code;
	}
	return 0;
}

int traffic_settle(struct rig *rig, struct window *w, struct err *err)
{
	uint64_t before = UINT64_MAX;

	for (unsigned i = 0; i < ARRIVE_MOST; i++) {
		nap_ms(ARRIVE_MS);
		if (traffic_read(rig, w, err) < 0)
			return -err->code;
		if (w->received + w->dropped == before)
			break;
		before = w->received + w->dropped;
	}
	return 0;
}

int rig_offer(struct rig *rig, double pps, double seconds, struct window *ret, struct err *err)
{
	struct ran before, after;
	struct window w;
	bool whole;

	before = look(rig);
	if (begin(rig, pps, err) < 0)
		return -err->code;
	whole = bench_pause((unsigned)ceil(seconds * 1e3));
	if (traffic_stop(rig, err) < 0)
		return -err->code;
	after = look(rig);
	if (!whole)
		return bench_check(err);
	if (traffic_settle(rig, &w, err) < 0)
		return -err->code;
	w.asked = pps;
	w.vnf_ran = ran(w.seconds, after.at - before.at, before.vnf, after.vnf);
	w.tester_ran = ran(w.seconds, after.at - before.at, before.tester, after.tester);
	if (before.waited >= 0 && after.waited >= 0)
		w.waited = (double)(after.waited - before.waited) / 1e9;
	*ret = w;
	return 0;
}

int rig_offer_valid(
	struct rig *rig, double pps, double seconds, struct window *ret, struct err *err
)
{
	char why[200];

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		if (rig_offer(rig, pps, seconds, ret, err) < 0)
			return -err->code;
		if (window_valid(ret, why, sizeof(why)))
			return 0;
		if (window_beyond_tester(ret))
			break;
	}
	return err_set(err, EAGAIN, "%s", why);
}

// Whether it says something about the load: not where stalls, if they were long, make the difference.
static bool clear(const struct search *s, const struct window *w, char *why, size_t len)
{
	for (unsigned i = 0; i < s->ngoals; i++) {
		double most = s->goal[i].loss;

		if (window_loss(w) <= most || window_vnf_loss(w) > most
		    || window_excused(w) <= EXCUSED)
			continue;
		snprintf(
			why,
			len,
			"all that was lost, %.1f %%, may be due to stalls of the machine",
			100 * window_loss(w)
		);
		return false;
	}
	return true;
}

int rig_search(struct rig *rig, struct search *s, struct rig_search *ret, struct err *err)
{
	double load, seconds;
	unsigned lowered = 0, disturbed = 0;

	*ret = (struct rig_search){0};
	search_begin(s);
	while (search_next(s, &load, &seconds)) {
		struct window w;
		char why[200];

		if (rig_offer(rig, load, seconds, &w, err) < 0)
			return -err->code;
		if (window_valid(&w, why, sizeof(why)) && clear(s, &w, why, sizeof(why))) {
			ret->excused = fmax(ret->excused, window_excused(&w));
			search_add(s, load, seconds, window_vnf_loss(&w), 1 - window_loss(&w));
			disturbed = 0;
		} else if (window_beyond_tester(&w) && lowered++ < LOWERED) {
			// what it did offer, and a little less
			ret->beyond_tester = true;
			s->max = fmax(s->min, 0.98 * window_offered(&w));
			search_begin(s);
		} else {
			ret->repeated++;
			// its time is gone all the same
			s->seconds += seconds;
			if (++disturbed == SEARCH_ATTEMPTS) {
				ret->broken = window_broken(&w);
				return err_set(err, EAGAIN, "%s", why);
			}
		}
	}
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/window.h"

#include "base/scope.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ALIKE 1.25
#define BEHIND 0.01 // of the packets that the generator may be too late for

void window_clear(struct window *w)
{
	*w = (struct window){.vnf_ran = NAN, .tester_ran = NAN, .waited = NAN};
	for (size_t i = 0; i < ARRAY_LEN(w->latency_ns); i++)
		w->latency_ns[i] = NAN;
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static uint64_t count(const json_t *o, const char *key)
{
	double v = number(o, key);

	return v > 0 ? (uint64_t)v : 0;
}

static void add_generator(struct window *w, const json_t *report)
{
	double offered = number(report, "offered_pps");
	uint64_t sent = count(report, "sent");

	w->sent += sent;
	w->full += count(report, "behind_output");
	w->late += count(report, "behind_generator");
	if (offered > 0)
		w->seconds = fmax(w->seconds, (double)sent / offered);
}

static void add_meter(struct window *w, const json_t *report)
{
	static const char *const names[] = {
		[Q50] = "p50",
		[Q90] = "p90",
		[Q99] = "p99",
		[Q999] = "p99.9",
		[Q9999] = "p99.99",
		[QMAX] = "max",
		[QMEAN] = "mean",
		[QMIN] = "min",
	};
	const json_t *latency = json_object_get(report, "latency");
	const json_t *error = json_object_get(report, "meter_error");
	uint64_t received = count(report, "received");

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const json_t *v = json_object_get(latency, names[i]);
		double ns = json_is_number(v) ? json_number_value(v) : (double)NAN;

		// of several meters the worst, but for the mean
		if (i == QMEAN && w->received + received > 0 && !isnan(w->latency_ns[i]))
			w->latency_ns[i] =
				(w->latency_ns[i] * (double)w->received + ns * (double)received)
				/ (double)(w->received + received);
		else
			w->latency_ns[i] =
				i == QMIN ? fmin(w->latency_ns[i], ns) : fmax(w->latency_ns[i], ns);
	}
	w->meter_ns = fmax(w->meter_ns, number(error, "p50"));
	w->received += received;
	w->duplicates += count(report, "duplicates");
	w->reordered += count(report, "reordered");
	w->corrupt += count(report, "corrupt") + count(report, "unstamped");
}

void window_add_task(struct window *w, const json_t *task, bool tester)
{
	const char *mode = json_string_value(json_object_get(task, "mode")) ?: "";
	const json_t *report = json_object_get(task, "report"), *v;
	const char *key;

	if (tester && (str_eq(mode, "gen") || str_eq(mode, "lat"))) {
		w->tester_busy += number(task, "busy_cycles");
		if (str_eq(mode, "gen"))
			add_generator(w, report);
		else
			add_meter(w, report);
		return;
	}
	// of a function, which may run in the tester's process
	w->vnf_known = true;
	w->rx += count(task, "rx");
	w->tx += count(task, "tx");
	w->work += count(task, "packets");
	w->bursts += count(task, "bursts");
	w->busy += number(task, "busy_cycles");
	w->idle += number(task, "idle_cycles");
	json_object_foreach (json_object_get(task, "drops"), key, v)
		w->dropped += (uint64_t)json_integer_value(v);
}

void window_add_port(struct window *w, const json_t *port)
{
	w->dropped += count(port, "imissed") + count(port, "ierrors") + count(port, "rx_nombuf");
}

double window_attempted(const struct window *w)
{
	return (double)(w->sent + w->full);
}

static double per_second(const struct window *w, double n)
{
	return w->seconds > 0 ? n / w->seconds : 0;
}

double window_offered(const struct window *w)
{
	return per_second(w, window_attempted(w));
}

double window_received(const struct window *w)
{
	return per_second(w, (double)w->received);
}

double window_loss(const struct window *w)
{
	double all = window_attempted(w), lost = all - (double)w->received;

	return all > 0 && lost > 0 ? lost / all : 0;
}

// Seconds for which a process that polls was not run.
static double stalled(const struct window *w, double ran)
{
	return isnan(ran) ? 0 : fmax(0, w->seconds - ran);
}

double window_excused(const struct window *w)
{
	double vnf = fmax(stalled(w, w->vnf_ran), isnan(w->waited) ? 0 : w->waited);
	double share = w->seconds > 0 ? (vnf + stalled(w, w->tester_ran)) / w->seconds : 0;

	return fmin(share, window_loss(w));
}

double window_vnf_loss(const struct window *w)
{
	return window_loss(w) - window_excused(w);
}

double window_cycles(const struct window *w)
{
	return w->vnf_known && w->work > 0 ? w->busy / (double)w->work : (double)NAN;
}

double window_tester_cycles(const struct window *w)
{
	return w->received > 0 ? w->tester_busy / (double)w->received : (double)NAN;
}

double window_idle(const struct window *w)
{
	return w->vnf_known && w->busy + w->idle > 0 ? w->idle / (w->busy + w->idle) : (double)NAN;
}

int64_t window_unaccounted(const struct window *w)
{
	uint64_t seen = w->received + w->dropped;

	return w->vnf_known ? (int64_t)(w->sent - seen) : 0;
}

static double late_share(const struct window *w)
{
	double all = window_attempted(w) + (double)w->late;

	return w->asked > 0 && all > 0 ? (double)w->late / all : 0;
}

bool window_beyond_tester(const struct window *w)
{
	return late_share(w) > BEHIND + 2 * stalled(w, w->tester_ran) / fmax(w->seconds, 1e-9);
}

static bool had_cpu(const struct window *w, const char *who, double ran, char *why, size_t len)
{
	if (isnan(ran) || ran >= WINDOW_ENOUGH * w->seconds)
		return true;
	snprintf(
		why,
		len,
		"the core of the %s stood still for %.0f ms of %.0f",
		who,
		1e3 * (w->seconds - ran),
		1e3 * w->seconds
	);
	return false;
}

bool window_broken(const struct window *w)
{
	return w->sent == 0 || w->received == 0 || w->duplicates > 0 || w->corrupt > 0
	       || window_unaccounted(w) != 0;
}

bool window_valid(const struct window *w, char *why, size_t len)
{
	int64_t gone = window_unaccounted(w);

	if (w->sent == 0 || w->seconds <= 0)
		snprintf(why, len, "the generator sent nothing");
	else if (w->received == 0)
		snprintf(why, len, "no packet came back");
	else if (!had_cpu(w, "function", w->vnf_ran, why, len) || !had_cpu(w, "tester", w->tester_ran, why, len))
		return false;
	else if (w->duplicates > 0 || w->corrupt > 0)
		snprintf(
			why,
			len,
			"%llu packets came twice, %llu damaged",
			(unsigned long long)w->duplicates,
			(unsigned long long)w->corrupt
		);
	else if (gone != 0)
		snprintf(
			why,
			len,
			"%llu packets were sent, %llu came back and %llu were counted as dropped: "
			"%lld too %s",
			(unsigned long long)w->sent,
			(unsigned long long)w->received,
			(unsigned long long)w->dropped,
			(long long)(gone > 0 ? gone : -gone),
			gone > 0 ? "few" : "many"
		);
	else if (late_share(w) > BEHIND)
		snprintf(
			why,
			len,
			"%.3g Mpps were asked for, and the generator was too late for %.1f %%",
			w->asked / 1e6,
			100 * late_share(w)
		);
	else if (w->asked > 0 && fabs(window_offered(w) / w->asked - 1) > BEHIND)
		snprintf(
			why,
			len,
			"%.3g Mpps were asked for and %.3g offered",
			w->asked / 1e6,
			window_offered(w) / 1e6
		);
	else
		return true;
	return false;
}

bool window_alike(double a, double b)
{
	return fmax(a, b) <= ALIKE * fmin(a, b);
}

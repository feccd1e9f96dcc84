// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "client/top.h"

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void put_ratio(json_t *o, const char *key, double dividend, double divisor)
{
	if (divisor > 0)
		json_object_set_new(o, key, json_real(dividend / divisor));
}

// Seconds between two looks; 0: there is nothing to take a rate of. *prev becomes NULL when the figures began
// anew since, or are another drover's.
static double seconds_between(const json_t *now, const json_t **prev)
{
	const json_t *pid = json_object_get(json_object_get(now, "info"), "pid");
	double time = number(now, "time_ns"), since = number(now, "since_ns"), then;

	if (*prev != NULL
	    && (number(*prev, "since_ns") != since
		|| !json_equal(json_object_get(json_object_get(*prev, "info"), "pid"), pid)))
		*prev = NULL;
	then = *prev != NULL ? number(*prev, "time_ns") : since;
	return since > 0 && time > then ? (time - then) / 1e9 : 0;
}

// What a counter grew by. One that went back is another counter: it counts from zero.
static double grown(const json_t *now, const json_t *prev, const char *key)
{
	double a = number(prev, key), b = number(now, key);

	return b >= a ? b - a : b;
}

static json_t *grown_counts(const json_t *now, const json_t *prev, double seconds)
{
	json_t *o = json_object(), *v;
	const char *key;

	json_object_foreach ((json_t *)now, key, v) {
		json_object_set_new(o, key, json_real(grown(now, prev, key) / seconds));
	}
	return o;
}

static json_t *task_interval(const json_t *now, const json_t *prev, double seconds)
{
	double packets = grown(now, prev, "packets"), busy = grown(now, prev, "busy_cycles");
	double idle = grown(now, prev, "idle_cycles");
	json_t *o = json_object();

	json_object_set_new(o, "seconds", json_real(seconds));
	put_ratio(o, "rx_pps", grown(now, prev, "rx"), seconds);
	put_ratio(o, "tx_pps", grown(now, prev, "tx"), seconds);
	put_ratio(o, "cycles_per_packet", busy, packets);
	put_ratio(o, "packets_per_burst", packets, grown(now, prev, "bursts"));
	put_ratio(o, "idle_share", idle, busy + idle);
	json_object_set_new(
		o,
		"drops_pps",
		grown_counts(json_object_get(now, "drops"), json_object_get(prev, "drops"), seconds)
	);
	return o;
}

static json_t *port_interval(const json_t *now, const json_t *prev, double seconds)
{
	static const char *const errors[] = {"imissed", "ierrors", "oerrors", "rx_nombuf", NULL};
	json_t *o = json_object(), *e = json_object();

	json_object_set_new(o, "seconds", json_real(seconds));
	put_ratio(o, "rx_pps", grown(now, prev, "ipackets"), seconds);
	put_ratio(o, "tx_pps", grown(now, prev, "opackets"), seconds);
	put_ratio(o, "rx_bps", 8 * grown(now, prev, "ibytes"), seconds);
	put_ratio(o, "tx_bps", 8 * grown(now, prev, "obytes"), seconds);
	for (const char *const *key = errors; *key != NULL; key++)
		put_ratio(e, *key, grown(now, prev, *key), seconds);
	json_object_set_new(o, "errors_pps", e);
	return o;
}

static const json_t *by_name(const json_t *array, const json_t *like)
{
	const json_t *name = json_object_get(like, "name"), *o;
	size_t i;

	json_array_foreach ((json_t *)array, i, o) {
		if (json_is_string(name) && json_equal(json_object_get(o, "name"), name))
			return o;
	}
	return NULL;
}

static json_t *ring_interval(const json_t *now, const json_t *prev, double seconds)
{
	json_t *o = json_object();

	json_object_set_new(o, "seconds", json_real(seconds));
	put_ratio(o, "sent_pps", grown(now, prev, "sent"), seconds);
	put_ratio(o, "dropped_pps", grown(now, prev, "dropped"), seconds);
	return o;
}

static void put_intervals(
	json_t *sample,
	const json_t *prev,
	double seconds,
	const char *kind,
	json_t *(*make)(const json_t *, const json_t *, double)
)
{
	json_t *o;
	size_t i;

	json_array_foreach (json_object_get(sample, kind), i, o) {
		const json_t *before = by_name(json_object_get(prev, kind), o);

		json_object_set_new(o, "interval", make(o, before, seconds));
	}
}

void sample_rates(json_t *sample, const json_t *prev)
{
	double seconds = seconds_between(sample, &prev);

	json_object_del(sample, "seconds");
	if (seconds <= 0)
		return;
	json_object_set_new(sample, "seconds", json_real(seconds));
	put_intervals(sample, prev, seconds, "tasks", task_interval);
	put_intervals(sample, prev, seconds, "ports", port_interval);
	put_intervals(sample, prev, seconds, "rings", ring_interval);
}

int sample_take(struct client *c, const json_t *prev, json_t **ret, struct err *err)
{
	json_t *sample = NULL;

	if (client_ask(c, client_request("report", NULL), &sample, err) < 0)
		return -err->code;
	json_object_set_new(sample, "socket", json_string(c->path));
	sample_rates(sample, prev);
	*ret = sample;
	return 0;
}

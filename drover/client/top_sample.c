// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "client/top.h"

#include <string.h>

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void put_ratio(json_t *o, const char *key, double dividend, double divisor)
{
	if (divisor > 0)
		json_object_set_new(o, key, json_real(dividend / divisor));
}

// Seconds between two looks at the same thing; 0: there is nothing to take a rate of. *prev becomes NULL
// when the figures began anew since.
static double seconds_between(const json_t *now, const json_t **prev)
{
	double time = number(now, "time_ns"), since = number(now, "since_ns"), then;

	if (*prev != NULL && number(*prev, "since_ns") != since)
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
	const char *name = json_string_value(json_object_get(like, "name"));
	const json_t *o;
	size_t i;

	json_array_foreach ((json_t *)array, i, o) {
		if (name != NULL && str_eq(json_string_value(json_object_get(o, "name")), name))
			return o;
	}
	return NULL;
}

static void put_intervals(
	json_t *sample,
	const json_t *prev,
	const char *kind,
	json_t *(*make)(const json_t *, const json_t *, double)
)
{
	json_t *o;
	size_t i;

	json_array_foreach (json_object_get(sample, kind), i, o) {
		const json_t *before = by_name(json_object_get(prev, kind), o);
		double seconds = seconds_between(o, &before);

		if (seconds <= 0)
			continue;
		json_object_set_new(o, "interval", make(o, before, seconds));
		json_object_set_new(sample, "seconds", json_real(seconds));
	}
}

static int add_tasks(struct client *c, json_t *into, struct err *err)
{
	_cleanup_json_ json_t *names = NULL;
	const json_t *name;
	size_t i;
	int r = client_ask(c, "/drover/tasks", &names, err);

	if (r < 0)
		return r;
	json_array_foreach (names, i, name) {
		_cleanup_free_ char *command =
			str_printf("/drover/stats,%s", json_string_value(name));
		json_t *task = NULL;

		if (!json_is_string(name))
			continue;
		if (command == NULL)
			return err_oom(err);
		r = client_ask(c, command, &task, err);
		if (r < 0)
			return r;
		if (json_is_object(task))
			json_array_append(into, task);
		json_decref(task);
	}
	return 0;
}

static int add_ports(struct client *c, json_t *sample, json_t *into, struct err *err)
{
	_cleanup_json_ json_t *answer = NULL;
	int r = client_ask(c, "/drover/ports", &answer, err);
	const char *name;
	json_t *port;

	if (r < 0)
		return r;
	json_object_foreach (json_object_get(answer, "ports"), name, port) {
		if (!json_is_object(port))
			continue;
		json_object_set(port, "time_ns", json_object_get(answer, "time_ns"));
		json_object_set(port, "since_ns", json_object_get(answer, "since_ns"));
		json_array_append(into, port);
	}
	json_object_set(sample, "ports_omitted", json_object_get(answer, "omitted"));
	return 0;
}

static json_t *ring_interval(const json_t *now, const json_t *prev, double seconds)
{
	json_t *o = json_object();

	json_object_set_new(o, "seconds", json_real(seconds));
	put_ratio(o, "sent_pps", grown(now, prev, "sent"), seconds);
	put_ratio(o, "dropped_pps", grown(now, prev, "dropped"), seconds);
	return o;
}

// info: an older drover has no rings, and no such command.
static int add_rings(
	struct client *c, const json_t *info, json_t *sample, json_t *into, struct err *err
)
{
	_cleanup_json_ json_t *answer = NULL;
	const char *key;
	json_t *ring;
	int r;

	if (json_integer_value(json_object_get(info, "rings")) <= 0)
		return 0;
	r = client_ask(c, "/drover/rings", &answer, err);
	if (r < 0)
		return r;
	json_object_foreach (json_object_get(answer, "rings"), key, ring) {
		if (!json_is_object(ring))
			continue;
		json_object_set(ring, "time_ns", json_object_get(answer, "time_ns"));
		json_object_set(ring, "since_ns", json_object_get(answer, "since_ns"));
		json_array_append(into, ring);
	}
	json_object_set(sample, "rings_omitted", json_object_get(answer, "omitted"));
	return 0;
}

static bool same_drover(const json_t *a, const json_t *b)
{
	const json_t *x = json_object_get(a, "info"), *y = json_object_get(b, "info");

	return json_equal(json_object_get(x, "pid"), json_object_get(y, "pid")) == 1
	       && json_equal(json_object_get(a, "socket"), json_object_get(b, "socket")) == 1;
}

int sample_take(struct client *c, const json_t *prev, json_t **ret, struct err *err)
{
	_cleanup_json_ json_t *sample = NULL, *info = NULL;
	json_t *tasks = json_array(), *ports = json_array(), *rings = json_array();
	int r = client_ask(c, "/drover/info", &info, err);

	sample = json_pack(
		"{s:s, s:O, s:o, s:o, s:o}",
		"socket",
		c->path,
		"info",
		r == 0 ? info : json_null(),
		"tasks",
		tasks,
		"ports",
		ports,
		"rings",
		rings
	);
	if (r == 0 && sample == NULL)
		r = err_oom(err);
	if (r == 0)
		r = add_tasks(c, tasks, err);
	if (r == 0)
		r = add_ports(c, sample, ports, err);
	if (r == 0)
		r = add_rings(c, info, sample, rings, err);
	if (r < 0)
		return r;
	if (prev != NULL && !same_drover(sample, prev))
		prev = NULL;
	put_intervals(sample, prev, "tasks", task_interval);
	put_intervals(sample, prev, "ports", port_interval);
	put_intervals(sample, prev, "rings", ring_interval);
	*ret = steal_ptr(sample);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "report/view.h"

#include "base/scope.h"
#include "base/str.h"
#include "text/figure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 256

static const char *text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : "-";
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

// Where the rates are: of the interval, else of the whole time.
static const json_t *rates_of(const json_t *object)
{
	const json_t *interval = json_object_get(object, "interval");

	return interval != NULL ? interval : object;
}

static void put_pps(struct table *t, const json_t *rates, const char *key)
{
	const json_t *v = json_object_get(rates, key);
	char buf[FIGURE_STR];

	table_cell(t, "%s", json_is_number(v) ? figure_pps(json_number_value(v), buf) : "-");
}

static void put_integer(struct table *t, const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (json_is_integer(v))
		table_cell(t, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		table_cell(t, "-");
}

static void put_real(struct table *t, const json_t *object, const char *key, double scale)
{
	const json_t *v = json_object_get(object, key);

	if (json_is_number(v))
		table_cell(t, "%.1f", json_number_value(v) * scale);
	else
		table_cell(t, "-");
}

#define NAME_LEN 64

// A key as words: underscores become spaces.
static void words(const char *key, char name[static NAME_LEN])
{
	snprintf(name, NAME_LEN, "%s", key);
	for (char *c = name; *c != '\0'; c++)
		*c = *c == '_' ? ' ' : *c;
}

// "tx full 12, too short 4" of an object of counts; those that are not zero.
static char *list_counts(const json_t *counts, const char *unit, char *buf, size_t size)
{
	const char *key;
	json_t *v;

	*buf = '\0';
	json_object_foreach ((json_t *)counts, key, v) {
		char n[FIGURE_STR], name[NAME_LEN];

		if (json_number_value(v) <= 0)
			continue;
		if (*unit != '\0')
			figure_count(json_number_value(v), n);
		else
			snprintf(n, sizeof(n), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		words(key, name);
		str_add(buf, size, ", ", "%s %s%s", name, n, unit);
	}
	return buf;
}

static void put_drops(struct table *t, const json_t *task)
{
	const json_t *interval = json_object_get(task, "interval");
	char buf[TEXT_MAX];

	if (interval != NULL)
		list_counts(json_object_get(interval, "drops_pps"), "/s", buf, sizeof(buf));
	else
		list_counts(json_object_get(task, "drops"), "", buf, sizeof(buf));
	table_cell(t, "%s", buf);
}

void view_tasks(const json_t *tasks, size_t width, struct lines *l)
{
	static const struct column columns[] = {
		{"TASK", true, 0},
		{"CORE", false, 6},
		{"CPU", false, 5},
		{"MODE", true, 0},
		{"RX", false, 0},
		{"TX", false, 0},
		{"RX PACKETS", false, 8},
		{"TX PACKETS", false, 8},
		{"CYC/PKT", false, 2},
		{"PKT/BURST", false, 4},
		{"IDLE %", false, 1},
		{"DROPS", true, 0},
	};
	struct table t = TABLE(columns);
	const json_t *task;
	size_t i;

	json_array_foreach ((json_t *)tasks, i, task) {
		const json_t *rates = rates_of(task);
		bool on = json_is_true(json_object_get(task, "running")), live = rates != task;

		table_cell(&t, "%s", text(task, "name"));
		put_integer(&t, task, "core");
		put_integer(&t, task, "cpu");
		// at the end of a run all are stopped, and nobody wants to know
		table_cell(&t, "%s%s", text(task, "mode"), live && !on ? " (stopped)" : "");
		put_pps(&t, rates, "rx_pps");
		put_pps(&t, rates, "tx_pps");
		put_integer(&t, task, "rx");
		put_integer(&t, task, "tx");
		put_real(&t, rates, "cycles_per_packet", 1);
		put_real(&t, rates, "packets_per_burst", 1);
		put_real(&t, rates, "idle_share", 100);
		put_drops(&t, task);
	}
	lines_table(l, &t, width, true);
}

static void put_errors(struct table *t, const json_t *port)
{
	static const char *const keys[] = {"imissed", "ierrors", "oerrors", "rx_nombuf"};
	const json_t *interval = json_object_get(port, "interval");
	json_t *counts = json_object();
	char buf[TEXT_MAX];

	if (interval != NULL)
		json_object_update(counts, json_object_get(interval, "errors_pps"));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && interval == NULL; i++)
		json_object_set(counts, keys[i], json_object_get(port, keys[i]));
	table_cell(t, "%s", list_counts(counts, interval != NULL ? "/s" : "", buf, sizeof(buf)));
	json_decref(counts);
}

void view_ports(const json_t *ports, size_t width, struct lines *l)
{
	static const struct column columns[] = {
		{"PORT", true, 0},
		{"ETHDEV", false, 9},
		{"DEVICE", true, 5},
		{"MAC", true, 7},
		{"LINK", true, 3},
		{"RX", false, 0},
		{"TX", false, 0},
		{"RX PACKETS", false, 8},
		{"TX PACKETS", false, 8},
		{"RX Gbit/s", false, 4},
		{"TX Gbit/s", false, 4},
		{"ERRORS", true, 0},
	};
	struct table t = TABLE(columns);
	const json_t *port;
	size_t i;

	json_array_foreach ((json_t *)ports, i, port) {
		const json_t *rates = rates_of(port);

		table_cell(&t, "%s", text(port, "name"));
		put_integer(&t, port, "ethdev");
		table_cell(&t, "%.40s", text(port, "device"));
		table_cell(&t, "%s", text(port, "mac"));
		table_cell(&t, "%s", text(port, "link"));
		put_pps(&t, rates, "rx_pps");
		put_pps(&t, rates, "tx_pps");
		put_integer(&t, port, "ipackets");
		put_integer(&t, port, "opackets");
		put_real(&t, rates, "rx_bps", 1e-9);
		put_real(&t, rates, "tx_bps", 1e-9);
		put_errors(&t, port);
	}
	lines_table(l, &t, width, false);
}

void view_rings(const json_t *rings, size_t width, struct lines *l)
{
	static const struct column columns[] = {
		{"RING", true, 0},
		{"SENT", false, 0},
		{"DROPPED", false, 0},
		{"SENT/s", false, 2},
		{"DROPPED/s", false, 2},
		{"USED", false, 4},
		{"SIZE", false, 5},
	};
	struct table t = TABLE(columns);
	const json_t *ring;
	size_t i;

	json_array_foreach ((json_t *)rings, i, ring) {
		const json_t *rates = json_object_get(ring, "interval");

		table_cell(&t, "%s", text(ring, "name"));
		put_integer(&t, ring, "sent");
		put_integer(&t, ring, "dropped");
		put_pps(&t, rates, "sent_pps");
		put_pps(&t, rates, "dropped_pps");
		put_integer(&t, ring, "used");
		put_integer(&t, ring, "size");
	}
	if (json_array_size(rings) > 0)
		lines_table(l, &t, width, false);
}

// A percentile in ns.
static void put_latency(struct table *t, const json_t *latency, const char *key)
{
	const json_t *v = json_object_get(latency, key);
	char buf[FIGURE_STR];

	table_cell(t, "%s", json_is_number(v) ? figure_time(json_number_value(v), buf) : "-");
}

static const char *loss(const json_t *report, char buf[static FIGURE_STR])
{
	double lost = number(report, "lost");
	double received =
		number(report, "received") - number(report, "duplicates") - number(report, "stale");

	if (lost <= 0)
		return received > 0 ? "0 %" : "-";
	snprintf(buf, FIGURE_STR, "%.3g %%", 100 * lost / (lost + received));
	return buf;
}

void view_latency(const json_t *tasks, size_t width, struct lines *l)
{
	static const struct column columns[] = {
		{"LATENCY", true, 0},
		{"MIN", false, 6},
		{"P50", false, 0},
		{"P90", false, 7},
		{"P99", false, 0},
		{"P99.9", false, 0},
		{"P99.99", false, 7},
		{"MAX", false, 0},
		{"METER ERROR P50", false, 9},
		{"RECEIVED", false, 8},
		{"LOST", false, 4},
		{"LOSS", false, 0},
		{"DUPLICATES", false, 5},
		{"REORDERED", false, 5},
		{"CORRUPT", false, 5},
	};
	static const char *const keys[] = {"min", "p50", "p90", "p99", "p99.9", "p99.99", "max"};
	struct table t = TABLE(columns);
	const json_t *task;
	size_t i;

	json_array_foreach ((json_t *)tasks, i, task) {
		const json_t *report = json_object_get(task, "report");
		const json_t *latency = json_object_get(report, "latency");
		char buf[FIGURE_STR];

		if (latency == NULL)
			continue;
		table_cell(&t, "%s", text(task, "name"));
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			put_latency(&t, latency, keys[k]);
		put_latency(&t, json_object_get(report, "meter_error"), "p50");
		put_integer(&t, report, "received");
		put_integer(&t, report, "lost");
		table_cell(&t, "%s", loss(report, buf));
		put_integer(&t, report, "duplicates");
		put_integer(&t, report, "reordered");
		put_integer(&t, report, "corrupt");
	}
	lines_table(l, &t, width, false);
}

static void cut_end(char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	if (len > n && str_eq(name + len - n, end))
		name[len - n] = '\0';
}

// "asked 10.0 Mpps, offered 9.98 Mpps, sent 1234": the plain figures of a mode.
static void list_report(const json_t *report, char *buf, size_t size)
{
	const char *key;
	json_t *v;

	*buf = '\0';
	json_object_foreach ((json_t *)report, key, v) {
		char figure[FIGURE_STR], name[NAME_LEN];

		if (json_is_object(v) || json_is_array(v))
			continue;
		words(key, name);
		// the figure says its unit itself
		cut_end(name, " pps");
		cut_end(name, " bits per second");
		str_add(buf, size, ", ", "%s %s", name, figure_by_key(key, v, figure));
	}
}

static void put_wrapped(
	struct lines *l,
	enum line_kind kind,
	size_t width,
	const char *mark,
	const json_t *task,
	const char *what
)
{
	_cleanup_free_ char *line =
		str_printf("%s%s (%s): %s", mark, text(task, "name"), text(task, "mode"), what);

	if (line != NULL)
		lines_wrap(l, kind, width, line);
	else
		l->failed = true;
}

void view_modes(const json_t *tasks, size_t width, struct lines *l)
{
	const json_t *task;
	char buf[1024];
	size_t i;

	json_array_foreach ((json_t *)tasks, i, task) {
		const json_t *report = json_object_get(task, "report");

		// these have tables of their own
		if (json_object_size(report) == 0 || json_object_get(report, "latency") != NULL
		    || json_object_get(report, "gap") != NULL)
			continue;
		list_report(report, buf, sizeof(buf));
		put_wrapped(l, LINE_TEXT, width, "", task, buf);
	}
	json_array_foreach ((json_t *)tasks, i, task) {
		if (json_object_get(task, "verdict") != NULL)
			put_wrapped(l, LINE_MARK, width, "=> ", task, text(task, "verdict"));
	}
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "report/view.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "text/figure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 256

// A column, and what its cells have of the objects of the rows.
struct view_column {
	struct column head;
	void (*put)(struct table *t, const json_t *object, const struct view_column *c);
	const char *key;     // of the object, which is
	const char *of, *in; // below these keys of the row's
	double scale;	     // of put_real; 0: 1
};

static const json_t *object_of(const json_t *row, const struct view_column *c)
{
	const json_t *object = c->of != NULL ? json_object_get(row, c->of) : row;

	// rates are those of the interval, else of the whole time
	if (object == NULL && str_eq(c->of, "interval"))
		return row;
	return c->in != NULL ? json_object_get(object, c->in) : object;
}

static void put_text(struct table *t, const json_t *o, const struct view_column *c)
{
	table_cell(t, "%s", json_text(o, c->key, "-"));
}

static void put_device(struct table *t, const json_t *o, const struct view_column *c)
{
	table_cell(t, "%.40s", json_text(o, c->key, "-"));
}

static void put_pps(struct table *t, const json_t *o, const struct view_column *c)
{
	const json_t *v = json_object_get(o, c->key);
	char buf[FIGURE_STR];

	table_cell(t, "%s", json_is_number(v) ? figure_pps(json_number_value(v), buf) : "-");
}

static void put_time(struct table *t, const json_t *o, const struct view_column *c)
{
	const json_t *v = json_object_get(o, c->key);
	char buf[FIGURE_STR];

	table_cell(t, "%s", json_is_number(v) ? figure_time(json_number_value(v), buf) : "-");
}

// The key says its unit.
static void put_figure(struct table *t, const json_t *o, const struct view_column *c)
{
	char buf[FIGURE_STR];

	table_cell(t, "%s", figure_by_key(c->key, json_object_get(o, c->key), buf));
}

static void put_integer(struct table *t, const json_t *o, const struct view_column *c)
{
	const json_t *v = json_object_get(o, c->key);

	if (json_is_integer(v))
		table_cell(t, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		table_cell(t, "-");
}

static void put_real(struct table *t, const json_t *o, const struct view_column *c)
{
	const json_t *v = json_object_get(o, c->key);

	if (json_is_number(v))
		table_cell(t, "%.1f", json_number_value(v) * (c->scale != 0 ? c->scale : 1));
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

// At the end of a run all are stopped, and nobody wants to know.
static void put_mode(struct table *t, const json_t *task, const struct view_column *c)
{
	bool stopped = json_object_get(task, "interval") != NULL
		       && !json_is_true(json_object_get(task, "running"));

	table_cell(t, "%s%s", json_text(task, c->key, "-"), stopped ? " (stopped)" : "");
}

static void put_drops(struct table *t, const json_t *task, const struct view_column *)
{
	const json_t *interval = json_object_get(task, "interval");
	char buf[TEXT_MAX];

	if (interval != NULL)
		list_counts(json_object_get(interval, "drops_pps"), "/s", buf, sizeof(buf));
	else
		list_counts(json_object_get(task, "drops"), "", buf, sizeof(buf));
	table_cell(t, "%s", buf);
}

static void put_errors(struct table *t, const json_t *port, const struct view_column *)
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

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void put_loss(struct table *t, const json_t *report, const struct view_column *)
{
	double lost = number(report, "lost");
	double received =
		number(report, "received") - number(report, "duplicates") - number(report, "stale");

	if (lost <= 0)
		table_cell(t, received > 0 ? "0 %%" : "-");
	else
		table_cell(t, "%.3g %%", 100 * lost / (lost + received));
}

struct view {
	bool tagged;
	const char *reports; // only of tasks whose report has this; NULL: of all
	struct view_column columns[16];
};

static void put_all(const struct view *v, const json_t *rows, size_t width, struct lines *l)
{
	struct column heads[ARRAY_LEN(v->columns)];
	struct table t = {.columns = heads};
	const json_t *row;
	size_t i;

	for (; t.ncolumns < ARRAY_LEN(heads) && v->columns[t.ncolumns].put != NULL; t.ncolumns++)
		heads[t.ncolumns] = v->columns[t.ncolumns].head;
	json_array_foreach ((json_t *)rows, i, row) {
		const json_t *report = json_object_get(row, "report");

		if (v->reports != NULL && json_object_get(report, v->reports) == NULL)
			continue;
		for (size_t k = 0; k < t.ncolumns; k++)
			v->columns[k].put(&t, object_of(row, &v->columns[k]), &v->columns[k]);
	}
	lines_table(l, &t, width, v->tagged);
}

void view_tasks(const json_t *tasks, size_t width, struct lines *l)
{
	static const struct view view = {
		.tagged = true,
		.columns = {
			{{"TASK", true, 0}, put_text, "name"},
			{{"CORE", false, 6}, put_integer, "core"},
			{{"CPU", false, 5}, put_integer, "cpu"},
			{{"MODE", true, 0}, put_mode, "mode"},
			{{"RX", false, 0}, put_pps, "rx_pps", "interval"},
			{{"TX", false, 0}, put_pps, "tx_pps", "interval"},
			{{"RX PACKETS", false, 8}, put_integer, "rx"},
			{{"TX PACKETS", false, 8}, put_integer, "tx"},
			{{"CYC/PKT", false, 2}, put_real, "cycles_per_packet", "interval"},
			{{"PKT/BURST", false, 4}, put_real, "packets_per_burst", "interval"},
			{{"IDLE %", false, 1}, put_real, "idle_share", "interval", .scale = 100},
			{{"DROPS", true, 0}, put_drops},
		}};

	put_all(&view, tasks, width, l);
}

void view_ports(const json_t *ports, size_t width, struct lines *l)
{
	static const struct view view = {
		.columns = {
			{{"PORT", true, 0}, put_text, "name"},
			{{"ETHDEV", false, 9}, put_integer, "ethdev"},
			{{"DEVICE", true, 5}, put_device, "device"},
			{{"MAC", true, 7}, put_text, "mac"},
			{{"LINK", true, 3}, put_text, "link"},
			{{"RX", false, 0}, put_pps, "rx_pps", "interval"},
			{{"TX", false, 0}, put_pps, "tx_pps", "interval"},
			{{"RX PACKETS", false, 8}, put_integer, "ipackets"},
			{{"TX PACKETS", false, 8}, put_integer, "opackets"},
			{{"RX Gbit/s", false, 4}, put_real, "rx_bps", "interval", .scale = 1e-9},
			{{"TX Gbit/s", false, 4}, put_real, "tx_bps", "interval", .scale = 1e-9},
			{{"ERRORS", true, 0}, put_errors},
		}};

	put_all(&view, ports, width, l);
}

void view_rings(const json_t *rings, size_t width, struct lines *l)
{
	static const struct view view = {
		.columns = {
			{{"RING", true, 0}, put_text, "name"},
			{{"SENT", false, 0}, put_integer, "sent"},
			{{"DROPPED", false, 0}, put_integer, "dropped"},
			{{"SENT/s", false, 2}, put_pps, "sent_pps", "interval"},
			{{"DROPPED/s", false, 2}, put_pps, "dropped_pps", "interval"},
			{{"USED", false, 4}, put_integer, "used"},
			{{"SIZE", false, 5}, put_integer, "size"},
		}};

	put_all(&view, rings, width, l);
}

void view_latency(const json_t *tasks, size_t width, struct lines *l)
{
	static const struct view view = {
		.reports = "latency",
		.columns = {
			{{"LATENCY", true, 0}, put_text, "name"},
			{{"MIN", false, 6}, put_time, "min", "report", "latency"},
			{{"P50", false, 0}, put_time, "p50", "report", "latency"},
			{{"P90", false, 7}, put_time, "p90", "report", "latency"},
			{{"P99", false, 0}, put_time, "p99", "report", "latency"},
			{{"P99.9", false, 0}, put_time, "p99.9", "report", "latency"},
			{{"P99.99", false, 7}, put_time, "p99.99", "report", "latency"},
			{{"MAX", false, 0}, put_time, "max", "report", "latency"},
			{{"METER ERROR P50", false, 9}, put_time, "p50", "report", "meter_error"},
			{{"RECEIVED", false, 8}, put_integer, "received", "report"},
			{{"LOST", false, 4}, put_integer, "lost", "report"},
			{{"LOSS", false, 0}, put_loss, NULL, "report"},
			{{"DUPLICATES", false, 5}, put_integer, "duplicates", "report"},
			{{"REORDERED", false, 5}, put_integer, "reordered", "report"},
			{{"CORRUPT", false, 5}, put_integer, "corrupt", "report"},
		}};

	put_all(&view, tasks, width, l);
}

void view_jitter(const json_t *tasks, size_t width, struct lines *l)
{
	static const struct view view = {
		.reports = "gap",
		.columns = {
			{{"JITTER", true, 0}, put_text, "name"},
			{{"CPU", false, 5}, put_figure, "cpu"},
			{{"OVER", false, 7}, put_figure, "measured_seconds", "report"},
			{{"GAPS FROM", false, 6}, put_figure, "threshold_ns", "report"},
			{{"GAPS", false, 0}, put_figure, "gaps", "report"},
			{{"P50", false, 4}, put_time, "p50", "report", "gap"},
			{{"P99", false, 0}, put_time, "p99", "report", "gap"},
			{{"P99.9", false, 3}, put_time, "p99.9", "report", "gap"},
			{{"MAX", false, 0}, put_time, "max", "report", "gap"},
			{{"LOST", false, 2}, put_figure, "lost_ns", "report"},
			{{"LOST SHARE", false, 0}, put_figure, "lost_share", "report"},
		}};

	put_all(&view, tasks, width, l);
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
	_cleanup_free_ char *line = str_printf(
		"%s%s (%s): %s",
		mark,
		json_text(task, "name", "-"),
		json_text(task, "mode", "-"),
		what
	);

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
			put_wrapped(
				l, LINE_MARK, width, "=> ", task, json_text(task, "verdict", "-")
			);
	}
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/scope.h"
#include "base/str.h"
#include "client/top.h"
#include "text/figure.h"

#include <math.h>
#include <string.h>

#define STEP 1.1 // of the rate, a key

static const char *name_of(const json_t *task)
{
	const char *name = json_string_value(json_object_get(task, "name"));

	return name != NULL ? name : "";
}

// Asks; a refusal becomes the line.
static int ask(struct client *c, json_t *request, bool *ok, char *line, size_t len, struct err *err)
{
	json_t *answer = NULL;
	int r = client_ask(c, request, &answer, err);

	json_decref(answer);
	*ok = r == 0;
	if (r == -EINVAL) {
		snprintf(line, len, "%s", err->msg);
		return 0;
	}
	return r;
}

static int toggle(struct client *c, json_t *task, char *line, size_t len, struct err *err)
{
	bool stop = json_is_true(json_object_get(task, "running")), ok;
	json_t *request = client_request(stop ? "stop" : "start", name_of(task));
	int r = ask(c, request, &ok, line, len, err);

	if (r == 0 && ok) {
		json_object_set_new(task, "running", json_boolean(!stop));
		snprintf(line, len, "%s %s", name_of(task), stop ? "stopped" : "started");
	}
	return r;
}

static int set_rate(
	struct client *c, json_t *task, double factor, char *line, size_t len, struct err *err
)
{
	const json_t *set = json_object_get(task, "rate_pps");
	double now = json_number_value(set);
	char figure[FIGURE_STR];
	json_t *request;
	bool ok;
	int r;

	if (set == NULL) {
		snprintf(line, len, "%s is no generator: it has no rate", name_of(task));
		return 0;
	}
	if (now == 0 && factor > 1) {
		snprintf(line, len, "%s runs as fast as it can", name_of(task));
		return 0;
	}
	// as fast as it can, made slower: from what it sends now
	if (now == 0)
		now = json_number_value(json_object_get(json_object_get(task, "interval"), "tx_pps")
		);
	if (now <= 0) {
		snprintf(line, len, "%s sends nothing", name_of(task));
		return 0;
	}
	// a step that rounds to nothing is no step; 0 would be no limit
	now = factor > 1 ? ceil(now * factor) : fmax(fmin(now, 1), floor(now * factor));
	request = client_request("rate", name_of(task));
	json_object_set_new(
		request, "pps", now == floor(now) ? figure_number(now) : json_sprintf("%.9f", now)
	);
	r = ask(c, request, &ok, line, len, err);
	if (r == 0 && ok) {
		json_object_set_new(task, "rate_pps", figure_number(now));
		snprintf(line, len, "%s: rate %s", name_of(task), figure_pps(now, figure));
	}
	return r;
}

int action_do(
	struct client *c,
	enum top_action action,
	json_t *task,
	char *line,
	size_t len,
	struct err *err
)
{
	bool ok;
	int r;

	if (action == ACTION_CLEAR) {
		r = ask(c, client_request("clear", NULL), &ok, line, len, err);
		if (r == 0 && ok)
			snprintf(line, len, "figures begin anew");
		return r;
	}
	if (task == NULL) {
		snprintf(line, len, "no task is selected");
		return 0;
	}
	if (action == ACTION_TOGGLE)
		return toggle(c, task, line, len, err);
	return set_rate(c, task, action == ACTION_FASTER ? STEP : 1 / STEP, line, len, err);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Answers of telemetry that act on tasks: stop and start them, set a rate, trace packets.

#include "serve/answers.h"

#include "base/str.h"
#include "report/report.h"
#include "serve/trace.h"

#include <string.h>

#define RATE_MAX 1000000000000 // packets a second

struct task *answer_find_task(struct plane *p, const char *name, struct err *err)
{
	const char *names[PLANE_TASKS + 1] = {NULL}, *near;
	struct task *t = report_find_task(p, name);

	if (t != NULL)
		return t;
	for (unsigned i = 0; i < p->ntasks; i++)
		names[i] = p->tasks[i]->name;
	near = str_nearest(name, names);
	err_set(err,
		ENOENT,
		"no task '%.40s'%s%s; /drover/tasks lists them",
		name,
		near != NULL ? "; did you mean " : "",
		near != NULL ? near : "");
	return NULL;
}

static json_t *set_stopped(struct plane *p, const char *param, bool stopped, struct err *err)
{
	struct task *only = *param != '\0' ? answer_find_task(p, param, err) : NULL;
	json_int_t n = 0;

	if (*param != '\0' && only == NULL)
		return NULL;
	for (unsigned i = 0; i < p->ntasks; i++) {
		if (only != NULL && p->tasks[i] != only)
			continue;
		// a generator that goes on is not behind by the time it stood still
		if (!stopped)
			__atomic_fetch_add(&p->tasks[i]->control.epoch, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&p->tasks[i]->control.stopped, stopped, __ATOMIC_RELAXED);
		n++;
	}
	return json_pack("{s:I}", stopped ? "stopped" : "started", n);
}

json_t *answer_start(struct plane *p, char *param, struct err *err)
{
	return set_stopped(p, param, false, err);
}

json_t *answer_stop(struct plane *p, char *param, struct err *err)
{
	return set_stopped(p, param, true, err);
}

// "9500000", "9.5M", "500k", "10Mpps", or 0 and "max" for as fast as it goes.
static int parse_rate(const char *text, uint64_t *ret, struct err *err)
{
	char *end;
	double v;

	if (str_eq(text, "max")) {
		*ret = 0;
		return 0;
	}
	v = *text >= '0' && *text <= '9' ? strtod(text, &end) : -1;
	if (v >= 0) {
		double unit = *end == 'k' ? 1e3 : *end == 'M' ? 1e6 : *end == 'G' ? 1e9 : 1;

		end += unit != 1;
		v *= unit;
		if ((*end == '\0' || str_eq(end, "pps")) && v <= RATE_MAX) {
			*ret = (uint64_t)(v + 0.5);
			return 0;
		}
	}
	return err_set(
		err, EINVAL, "rate '%.24s': packets a second such as 500000, 9.5M, or max", text
	);
}

json_t *answer_rate(struct plane *p, char *param, struct err *err)
{
	char *comma = strchr(param, ',');
	struct task *t;
	uint64_t rate = 0;

	if (comma == NULL) {
		err_set(err, EINVAL, "name a task and a rate: /drover/rate,TASK,PPS");
		return NULL;
	}
	*comma = '\0';
	t = answer_find_task(p, param, err);
	if (t == NULL || parse_rate(comma + 1, &rate, err) < 0)
		return NULL;
	if (t->mode->keys == NULL || key_find(t->mode->keys, "rate") == NULL) {
		err_set(err, EINVAL, "task '%s' is '%s', which has no rate", t->name, t->mode->name
		);
		return NULL;
	}
	__atomic_store_n(&t->control.rate, rate, __ATOMIC_RELAXED);
	__atomic_add_fetch(&t->control.epoch, 1, __ATOMIC_RELEASE);
	return json_pack("{s:s, s:I}", "task", t->name, "rate_pps", (json_int_t)rate);
}

// "TASK[,REST]": the task; *rest: what follows, "" when nothing does.
static struct task *cut_task(struct plane *p, char *param, const char **rest, struct err *err)
{
	char *comma = strchr(param, ',');

	if (comma != NULL)
		*comma = '\0';
	*rest = comma != NULL ? comma + 1 : "";
	return answer_find_task(p, param, err);
}

json_t *answer_trace(struct plane *p, char *param, struct err *err)
{
	const char *rest;
	struct task *t = cut_task(p, param, &rest, err);

	return t != NULL ? trace_start_json(t, rest, err) : NULL;
}

json_t *answer_trace_packets(struct plane *p, char *param, struct err *err)
{
	const char *rest;
	struct task *t = cut_task(p, param, &rest, err);

	return t != NULL ? trace_packets_json(p, t, rest, err) : NULL;
}

json_t *answer_trace_stop(struct plane *p, char *param, struct err *err)
{
	const char *rest;
	struct task *t = cut_task(p, param, &rest, err);

	return t != NULL ? trace_stop_json(t, err) : NULL;
}

json_t *answer_clear(struct plane *p, char *param, struct err *err)
{
	(void)param;
	(void)err;
	report_clear(p);
	return json_pack("{s:I}", "cleared", (json_int_t)p->ntasks);
}

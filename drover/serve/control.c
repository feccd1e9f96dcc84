// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Answers that act on tasks: stop and start them, set a rate, clear their figures.

#include "serve/answers.h"

#include "base/str.h"
#include "report/report.h"

#include <string.h>

#define RATE_MAX 1000000000000 // packets a second

const char *answer_text(const json_t *q, const char *key)
{
	return json_string_value(json_object_get(q, key));
}

int answer_task(struct plane *p, const json_t *q, struct task **ret, struct err *err)
{
	const char *names[PLANE_TASKS + 1] = {NULL}, *near, *name = answer_text(q, "task");

	*ret = NULL;
	for (unsigned i = 0; i < p->ntasks && name != NULL; i++) {
		names[i] = p->tasks[i]->name;
		if (str_eq(names[i], name))
			*ret = p->tasks[i];
	}
	if (name == NULL || *ret != NULL)
		return 0;
	near = str_nearest(name, names);
	return err_set(
		err,
		ENOENT,
		"no task '%.40s'%s%s; 'drover ask tasks' lists them",
		name,
		near != NULL ? "; did you mean " : "",
		near != NULL ? near : ""
	);
}

static json_t *set_stopped(struct plane *p, const json_t *q, bool stopped, struct err *err)
{
	struct task *only;
	json_int_t n = 0;

	if (answer_task(p, q, &only, err) < 0)
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

json_t *answer_start(struct plane *p, const json_t *q, struct err *err)
{
	return set_stopped(p, q, false, err);
}

json_t *answer_stop(struct plane *p, const json_t *q, struct err *err)
{
	return set_stopped(p, q, true, err);
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

json_t *answer_rate(struct plane *p, const json_t *q, struct err *err)
{
	const char *text = answer_text(q, "pps");
	uint64_t rate = (uint64_t)json_integer_value(json_object_get(q, "pps"));
	struct task *t;

	if (answer_task(p, q, &t, err) < 0 || (text != NULL && parse_rate(text, &rate, err) < 0))
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

json_t *answer_clear(struct plane *p, const json_t *, struct err *)
{
	report_clear(p);
	return json_pack("{s:I}", "cleared", (json_int_t)p->ntasks);
}

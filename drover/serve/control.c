// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Answers that act on tasks: stop and start them, set a rate, clear their figures.

#include "serve/answers.h"

#include "base/hint.h"
#include "base/str.h"
#include "report/report.h"
#include "text/figure.h"

#include <stdio.h>
#include <string.h>

const char *answer_text(const json_t *q, const char *key)
{
	return json_string_value(json_object_get(q, key));
}

int answer_task(struct plane *p, const json_t *q, struct task **ret, struct err *err)
{
	const char *names[PLANE_TASKS + 1] = {NULL}, *name = answer_text(q, "task");
	char buf[HINT_MAX];

	*ret = NULL;
	for (unsigned i = 0; i < p->ntasks && name != NULL; i++) {
		names[i] = p->tasks[i]->name;
		if (str_eq(names[i], name))
			*ret = p->tasks[i];
	}
	if (name == NULL || *ret != NULL)
		return 0;
	hint(buf, name, names);
	return err_set(
		err,
		ENOENT,
		"no task '%.40s'%s",
		name,
		buf[0] != '\0' ? buf : "; 'drover ask tasks' lists them"
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

// A number, or text as a configuration says it, or "max" for as fast as it goes.
static int read_rate(const json_t *q, double *ret, struct err *err)
{
	static const struct key key = {.name = "pps", .kind = &kind_rate};
	const json_t *v = json_object_get(q, "pps");
	struct key_rate rate = {.pps = json_number_value(v)};
	char number[32];

	snprintf(number, sizeof(number), "%.9f", rate.pps);
	if (json_is_string(v) && str_eq(json_string_value(v), "max"))
		rate.pps = 0;
	else if (key_parse(&key, json_is_string(v) ? json_string_value(v) : number, &rate, err) < 0)
		return -err->code;
	*ret = rate.pps;
	return 0;
}

json_t *answer_rate(struct plane *p, const json_t *q, struct err *err)
{
	double rate = 0;
	struct task *t;

	if (answer_task(p, q, &t, err) < 0 || read_rate(q, &rate, err) < 0)
		return NULL;
	if (t->mode->keys == NULL || key_find(t->mode->keys, "rate") == NULL) {
		err_set(err, EINVAL, "task '%s' is '%s', which has no rate", t->name, t->mode->name
		);
		return NULL;
	}
	__atomic_store(&t->control.rate, &rate, __ATOMIC_RELAXED);
	__atomic_add_fetch(&t->control.epoch, 1, __ATOMIC_RELEASE);
	return json_pack("{s:s, s:o}", "task", t->name, "rate_pps", figure_number(rate));
}

json_t *answer_clear(struct plane *p, const json_t *, struct err *)
{
	report_clear(p);
	return json_pack("{s:I}", "cleared", (json_int_t)p->ntasks);
}

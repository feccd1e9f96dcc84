// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Answers that show: figures of tasks, ports and rings, and what drover is.

#include "serve/answers.h"

#include "base/str.h"
#include "report/report.h"
#include "tsc.h"

#include <rte_cycles.h>
#include <string.h>
#include <unistd.h>

static json_t *oom(struct err *err)
{
	err_oom(err);
	return NULL;
}

json_t *answer_tasks(struct plane *p, const json_t *, struct err *err)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < p->ntasks; i++)
		json_array_append_new(names, json_string(p->tasks[i]->name));
	return names != NULL ? json_pack("{s:o}", "tasks", names) : oom(err);
}

// The moment of an answer, so that rates can be taken from two of them.
static json_t *timed(const struct plane *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "time_ns", json_integer((json_int_t)report_now()));
	json_object_set_new(o, "since_ns", json_integer((json_int_t)report_since(p)));
	return o;
}

// {"time_ns", "since_ns", kind: {}}: *list is what it lists, borrowed.
static json_t *listing(const struct plane *p, const char *kind, json_t **list)
{
	json_t *o = timed(p);

	*list = json_object();
	json_object_set_new(o, kind, *list);
	return o;
}

json_t *answer_stats(struct plane *p, const json_t *q, struct err *err)
{
	struct task *only;
	json_t *o, *list;

	if (answer_task(p, q, &only, err) < 0)
		return NULL;
	if (only != NULL) {
		o = timed(p);
		if (json_object_update_new(o, report_task_json(p, only)) == 0)
			return o;
		json_decref(o);
		return oom(err);
	}
	o = listing(p, "tasks", &list);
	for (unsigned i = 0; i < p->ntasks; i++)
		json_object_set_new(list, p->tasks[i]->name, report_task_json(p, p->tasks[i]));
	return o;
}

json_t *answer_ports(struct plane *p, const json_t *q, struct err *err)
{
	const char *only = answer_text(q, "port");
	json_t *list, *o = listing(p, "ports", &list);

	for (unsigned i = 0; i < p->nports; i++) {
		const char *name = p->ports[i].conf->name;

		if (only == NULL || str_eq(only, name))
			json_object_set_new(list, name, report_port_json(p, i));
	}
	if (only == NULL || json_object_size(list) > 0)
		return o;
	json_decref(o);
	err_set(err, ENOENT, "no port '%.40s'; 'drover ask ports' lists them", only);
	return NULL;
}

// By number: some have the same name.
json_t *answer_rings(struct plane *p, const json_t *q, struct err *err)
{
	struct task *only;
	json_t *o, *list;

	if (answer_task(p, q, &only, err) < 0)
		return NULL;
	o = listing(p, "rings", &list);
	for (unsigned i = 0; i < p->nrings; i++) {
		char key[12];

		if (only != NULL && p->rings[i].from != only && p->rings[i].to != only)
			continue;
		snprintf(key, sizeof(key), "%u", i);
		json_object_set_new(list, key, report_ring_json(p, i));
	}
	return o;
}

// What the tasks of one mode report.
static json_t *reports(
	struct plane *p, const char *mode, const char *what, const json_t *q, struct err *err
)
{
	struct task *only;
	json_t *o, *list;

	if (answer_task(p, q, &only, err) < 0)
		return NULL;
	if (only != NULL && !str_eq(only->mode->name, mode)) {
		err_set(err,
			EINVAL,
			"task '%s' is '%s', which measures no %s",
			only->name,
			only->mode->name,
			what);
		return NULL;
	}
	o = listing(p, "tasks", &list);
	for (unsigned i = 0; i < p->ntasks; i++) {
		struct task *t = p->tasks[i];
		json_t *all;

		if (!str_eq(t->mode->name, mode) || (only != NULL && only != t))
			continue;
		all = report_task_json(p, t);
		json_object_set(list, t->name, json_object_get(all, "report"));
		json_decref(all);
	}
	return o;
}

json_t *answer_lat(struct plane *p, const json_t *q, struct err *err)
{
	return reports(p, "lat", "latency", q, err);
}

json_t *answer_irq(struct plane *p, const json_t *q, struct err *err)
{
	return reports(p, "irq", "jitter", q, err);
}

json_t *answer_modes(struct plane *, const json_t *, struct err *err)
{
	json_t *o = json_object();

	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next)
		json_object_set_new(o, m->name, json_string(m->help));
	return o != NULL ? o : oom(err);
}

json_t *answer_info(struct plane *p, const json_t *, struct err *err)
{
	uint64_t now = rte_rdtsc(), begin = __atomic_load_n(&p->started, __ATOMIC_RELAXED);
	uint64_t up = begin != 0 && now > begin ? (now - begin) / tsc_hz() : 0;
	json_t *o = timed(p);

	json_object_set_new(o, "name", json_string(p->conf->name));
	json_object_set_new(o, "version", json_string(PINFOLD_VERSION));
	json_object_set_new(o, "configuration", json_string(p->conf->file));
	json_object_set_new(o, "pid", json_integer(getpid()));
	json_object_set_new(o, "uptime_seconds", json_integer((json_int_t)up));
	json_object_set_new(o, "traffic", json_boolean(__atomic_load_n(&p->go, __ATOMIC_RELAXED)));
	json_object_set_new(o, "tsc_hz", json_integer((json_int_t)tsc_hz()));
	json_object_set_new(o, "cores", json_integer(p->nlcores));
	json_object_set_new(o, "tasks", json_integer(p->ntasks));
	json_object_set_new(o, "ports", json_integer(p->nports));
	json_object_set_new(o, "rings", json_integer(p->nrings));
	return o != NULL ? o : oom(err);
}

// Everything, of one moment.
json_t *answer_report(struct plane *p, const json_t *q, struct err *err)
{
	json_t *o = report_all(p), *time = timed(p);

	json_object_update_new(o, time);
	json_object_set_new(o, "info", answer_info(p, q, err));
	return o != NULL ? o : oom(err);
}

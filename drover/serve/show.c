// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Answers of telemetry that show: figures of tasks, ports and rings, and what drover is.

#include "serve/answers.h"

#include "base/str.h"
#include "report/report.h"
#include "serve/telform.h"
#include "tsc.h"

#include <rte_cycles.h>
#include <string.h>
#include <unistd.h>

static json_t *oom(struct err *err)
{
	err_oom(err);
	return NULL;
}

json_t *answer_tasks(struct plane *p, char *param, struct err *err)
{
	json_t *names = json_array();

	(void)param;
	for (unsigned i = 0; i < p->ntasks; i++)
		json_array_append_new(names, json_string(p->tasks[i]->name));
	return names != NULL ? names : oom(err);
}

// The moment of an answer, so that rates can be taken from two of them.
static json_t *timed(const struct plane *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "time_ns", json_integer((json_int_t)report_now()));
	json_object_set_new(o, "since_ns", json_integer((json_int_t)report_since(p)));
	return o;
}

// {"time_ns", "since_ns", kind: {name: object…}, "omitted": how many did not fit}
struct listing {
	json_t *doc, *list;
	size_t left;
	json_int_t omitted;
};

static void list_begin(struct listing *l, const struct plane *p, const char *kind)
{
	*l = (struct listing){.doc = timed(p), .list = json_object(), .left = TELFORM_MAX - 256};
	json_object_set_new(l->doc, kind, l->list);
}

static void list_put(struct listing *l, const char *name, json_t *value)
{
	json_t *formed = value != NULL ? telform(value) : NULL;
	size_t size = strlen(name) + 8;

	size += formed != NULL ? telform_size(formed) : 0;
	if (formed != NULL && size <= l->left && json_object_set(l->list, name, value) == 0) {
		l->left -= size;
	} else {
		l->omitted++;
		l->left = 0; // what follows is left out as well: no gaps
	}
	json_decref(formed);
	json_decref(value);
}

static json_t *list_end(struct listing *l)
{
	json_object_set_new(l->doc, "omitted", json_integer(l->omitted));
	return l->doc;
}

json_t *answer_stats(struct plane *p, char *param, struct err *err)
{
	struct listing l;
	json_t *o, *own;

	if (*param != '\0') {
		struct task *t = answer_find_task(p, param, err);

		if (t == NULL)
			return NULL;
		o = timed(p);
		own = report_task_json(p, t);
		if (own == NULL || json_object_update_missing_new(o, own) < 0) {
			json_decref(o);
			return oom(err);
		}
		return o;
	}
	list_begin(&l, p, "tasks");
	for (unsigned i = 0; i < p->ntasks; i++)
		list_put(&l, p->tasks[i]->name, report_task_json(p, p->tasks[i]));
	return list_end(&l);
}

json_t *answer_ports(struct plane *p, char *param, struct err *err)
{
	struct listing l;
	bool found = *param == '\0';

	list_begin(&l, p, "ports");
	for (unsigned i = 0; i < p->nports; i++) {
		const char *name = p->ports[i].conf->name;

		if (*param != '\0' && !str_eq(param, name))
			continue;
		list_put(&l, name, report_port_json(p, i));
		found = true;
	}
	if (found)
		return list_end(&l);
	json_decref(l.doc);
	err_set(err, ENOENT, "no port '%.40s'; /drover/ports lists them", param);
	return NULL;
}

// By number, as their names are no keys for telemetry.
json_t *answer_rings(struct plane *p, char *param, struct err *err)
{
	const struct task *only = NULL;
	struct listing l;

	if (*param != '\0') {
		only = answer_find_task(p, param, err);
		if (only == NULL)
			return NULL;
	}
	list_begin(&l, p, "rings");
	for (unsigned i = 0; i < p->nrings; i++) {
		char key[12];

		if (only != NULL && p->rings[i].from != only && p->rings[i].to != only)
			continue;
		snprintf(key, sizeof(key), "%u", i);
		list_put(&l, key, report_ring_json(p, i));
	}
	return list_end(&l);
}

// What the tasks of one mode report.
static json_t *reports(
	struct plane *p, const char *mode, const char *what, const char *param, struct err *err
)
{
	struct task *only = NULL;
	struct listing l;

	if (*param != '\0') {
		only = answer_find_task(p, param, err);
		if (only == NULL)
			return NULL;
		if (!str_eq(only->mode->name, mode)) {
			err_set(err,
				EINVAL,
				"task '%s' is '%s', which measures no %s",
				only->name,
				only->mode->name,
				what);
			return NULL;
		}
	}
	list_begin(&l, p, "tasks");
	for (unsigned i = 0; i < p->ntasks; i++) {
		struct task *t = p->tasks[i];
		json_t *all;

		if (!str_eq(t->mode->name, mode) || (only != NULL && only != t))
			continue;
		all = report_task_json(p, t);
		list_put(&l, t->name, json_incref(json_object_get(all, "report")));
		json_decref(all);
	}
	return list_end(&l);
}

json_t *answer_lat(struct plane *p, char *param, struct err *err)
{
	return reports(p, "lat", "latency", param, err);
}

json_t *answer_irq(struct plane *p, char *param, struct err *err)
{
	return reports(p, "irq", "jitter", param, err);
}

json_t *answer_modes(struct plane *p, char *param, struct err *err)
{
	json_t *o = json_object();

	(void)p;
	(void)param;
	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next)
		json_object_set_new(o, m->name, json_string(m->help));
	return o != NULL ? o : oom(err);
}

// The end of a path says more than its beginning.
static const char *path_end(const char *path)
{
	size_t len = strlen(path);

	return len > TELFORM_STRING ? path + len - TELFORM_STRING : path;
}

json_t *answer_info(struct plane *p, char *param, struct err *err)
{
	uint64_t now = rte_rdtsc(), begin = __atomic_load_n(&p->started, __ATOMIC_RELAXED);
	uint64_t up = begin != 0 && now > begin ? (now - begin) / tsc_hz() : 0;
	json_t *o = timed(p);

	(void)param;
	json_object_set_new(o, "name", json_string(p->conf->name));
	json_object_set_new(o, "version", json_string(PINFOLD_VERSION));
	json_object_set_new(o, "configuration", json_string(path_end(p->conf->file)));
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

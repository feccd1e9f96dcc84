// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The /drover/… commands on DPDK's telemetry socket. Each answers with a JSON object, which telform.h
// brings into what telemetry can carry. They run on a thread a client, one at a time (report_lock).

#include "drover.h"

#include "base/scope.h"
#include "base/str.h"
#include "stats/report.h"
#include "stats/tables.h"
#include "stats/telform.h"
#include "stats/trace.h"

#include <rte_cycles.h>
#include <rte_telemetry.h>
#include <string.h>

#define PARAM_MAX 256
#define RATE_MAX 1000000000000 // packets a second

static struct plane *plane; // NULL: nothing to show

// A command: makes the answer, or returns NULL with err set. param: what followed the first comma, ""
// when nothing did.
struct command {
	const char *name;
	json_t *(*answer)(struct plane *p, char *param, struct err *err);
	const char *help;
};

static json_t *oom(struct err *err)
{
	err_oom(err);
	return NULL;
}

static struct task *find_task(struct plane *p, const char *name, struct err *err)
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

static json_t *answer_tasks(struct plane *p, char *param, struct err *err)
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

static json_t *answer_stats(struct plane *p, char *param, struct err *err)
{
	struct listing l;
	json_t *o, *own;

	if (*param != '\0') {
		struct task *t = find_task(p, param, err);

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

static json_t *answer_ports(struct plane *p, char *param, struct err *err)
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
static json_t *answer_rings(struct plane *p, char *param, struct err *err)
{
	const struct task *only = NULL;
	struct listing l;

	if (*param != '\0') {
		only = find_task(p, param, err);
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
		only = find_task(p, param, err);
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

static json_t *answer_lat(struct plane *p, char *param, struct err *err)
{
	return reports(p, "lat", "latency", param, err);
}

static json_t *answer_irq(struct plane *p, char *param, struct err *err)
{
	return reports(p, "irq", "jitter", param, err);
}

static json_t *set_stopped(struct plane *p, const char *param, bool stopped, struct err *err)
{
	struct task *only = *param != '\0' ? find_task(p, param, err) : NULL;
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

static json_t *answer_start(struct plane *p, char *param, struct err *err)
{
	return set_stopped(p, param, false, err);
}

static json_t *answer_stop(struct plane *p, char *param, struct err *err)
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

static json_t *answer_rate(struct plane *p, char *param, struct err *err)
{
	char *comma = strchr(param, ',');
	struct task *t;
	uint64_t rate = 0;

	if (comma == NULL) {
		err_set(err, EINVAL, "name a task and a rate: /drover/rate,TASK,PPS");
		return NULL;
	}
	*comma = '\0';
	t = find_task(p, param, err);
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
	return find_task(p, param, err);
}

static json_t *answer_trace(struct plane *p, char *param, struct err *err)
{
	const char *rest;
	struct task *t = cut_task(p, param, &rest, err);

	return t != NULL ? trace_start_json(t, rest, err) : NULL;
}

static json_t *answer_trace_packets(struct plane *p, char *param, struct err *err)
{
	const char *rest;
	struct task *t = cut_task(p, param, &rest, err);

	return t != NULL ? trace_packets_json(p, t, rest, err) : NULL;
}

static json_t *answer_trace_stop(struct plane *p, char *param, struct err *err)
{
	const char *rest;
	struct task *t = cut_task(p, param, &rest, err);

	return t != NULL ? trace_stop_json(t, err) : NULL;
}

static json_t *answer_clear(struct plane *p, char *param, struct err *err)
{
	(void)param;
	(void)err;
	report_clear_locked(p);
	return json_pack("{s:I}", "cleared", (json_int_t)p->ntasks);
}

static json_t *answer_modes(struct plane *p, char *param, struct err *err)
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

static json_t *answer_info(struct plane *p, char *param, struct err *err)
{
	uint64_t now = rte_rdtsc(), begin = __atomic_load_n(&p->started, __ATOMIC_RELAXED);
	uint64_t up = begin != 0 && now > begin ? (now - begin) / rte_get_tsc_hz() : 0;
	json_t *o = timed(p);

	(void)param;
	json_object_set_new(o, "name", json_string(p->conf->name));
	json_object_set_new(o, "version", json_string(PINFOLD_VERSION));
	json_object_set_new(o, "configuration", json_string(path_end(p->conf->file)));
	json_object_set_new(o, "pid", json_integer(getpid()));
	json_object_set_new(o, "uptime_seconds", json_integer((json_int_t)up));
	json_object_set_new(o, "traffic", json_boolean(__atomic_load_n(&p->go, __ATOMIC_RELAXED)));
	json_object_set_new(o, "tsc_hz", json_integer((json_int_t)rte_get_tsc_hz()));
	json_object_set_new(o, "cores", json_integer(p->nlcores));
	json_object_set_new(o, "tasks", json_integer(p->ntasks));
	json_object_set_new(o, "ports", json_integer(p->nports));
	json_object_set_new(o, "rings", json_integer(p->nrings));
	return o != NULL ? o : oom(err);
}

static const struct command commands[] = {
	{"/drover/clear", answer_clear, "Figures begin anew. No parameters"},
	{"/drover/cpes", answer_cpes, "The first CPEs of a table. Parameter: table"},
	{"/drover/hop_add", answer_hop_add, "Parameters: table,id,address,mac,label,port"},
	{"/drover/info", answer_info, "Version, configuration, uptime, pid. No parameters"},
	{"/drover/irq", answer_irq, "Figures of jitter meters. Parameter: task (optional)"},
	{"/drover/lat", answer_lat, "Latency of the meters. Parameter: task (optional)"},
	{"/drover/modes", answer_modes, "Modes of tasks. No parameters"},
	{"/drover/ports", answer_ports, "Counters of ports. Parameter: port (optional)"},
	{"/drover/rate", answer_rate, "Sets the rate of a generator. Parameters: task,pps"},
	{"/drover/rings",
	 answer_rings,
	 "Rings between tasks. Parameter: task at either end (optional)"},
	{"/drover/reload", answer_reload, "Reads a table anew. Parameters: table,file"},
	{"/drover/route_add", answer_route_add, "Parameters: table,prefix/depth,hop"},
	{"/drover/route_del", answer_route_del, "Parameters: table,prefix/depth"},
	{"/drover/start", answer_start, "Starts tasks. Parameter: task (optional, else all)"},
	{"/drover/stats", answer_stats, "Figures of tasks. Parameter: task (optional)"},
	{"/drover/stop", answer_stop, "Stops tasks. Parameter: task (optional, else all)"},
	{"/drover/tables", answer_tables, "Sizes of tables. No parameters"},
	{"/drover/tasks", answer_tasks, "Names of the tasks. No parameters"},
	{"/drover/trace", answer_trace, "Traces packets. Parameters: task,number (default 1)"},
	{"/drover/trace_packets",
	 answer_trace_packets,
	 "What was traced. Parameters: task,from number"},
	{"/drover/trace_stop", answer_trace_stop, "Ends a trace. Parameter: task"},
	{"/drover/user_add", answer_user_add, "Parameters: table,svlan,cvlan,gre id"},
	{"/drover/user_del", answer_user_del, "Parameters: table,gre id"},
};

static void build_dict(struct rte_tel_data *d, const json_t *object);

static void build_entry(struct rte_tel_data *d, const char *key, const json_t *v)
{
	struct rte_tel_data *inner;

	if (json_is_string(v)) {
		rte_tel_data_add_dict_string(d, key, json_string_value(v));
	} else if (json_is_integer(v) && json_integer_value(v) < 0) {
		rte_tel_data_add_dict_int(d, key, (int)json_integer_value(v));
	} else if (json_is_integer(v)) {
		rte_tel_data_add_dict_u64(d, key, (uint64_t)json_integer_value(v));
	} else if (json_is_object(v)) {
		inner = rte_tel_data_alloc();
		if (inner == NULL)
			return;
		build_dict(inner, v);
		// telemetry frees it
		if (rte_tel_data_add_dict_container(d, key, inner, 0) < 0)
			rte_tel_data_free(inner);
	}
}

static void build_dict(struct rte_tel_data *d, const json_t *object)
{
	const json_t *v;
	const char *key;

	rte_tel_data_start_dict(d);
	json_object_foreach ((json_t *)object, key, v) {
		build_entry(d, key, v);
	}
}

static void build_strings(struct rte_tel_data *d, const json_t *array)
{
	const json_t *v;
	size_t i;

	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	json_array_foreach ((json_t *)array, i, v) {
		rte_tel_data_add_array_string(d, json_string_value(v));
	}
}

static json_t *answer(const char *cmd, char *param)
{
	struct err err = {.code = EINVAL, .msg = "unknown command"};
	json_t *doc = NULL;

	report_lock();
	if (plane == NULL || plane->conf == NULL
	    || __atomic_load_n(&plane->quit, __ATOMIC_RELAXED)) {
		err_set(&err, ESHUTDOWN, "drover is stopping");
	} else {
		for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
			if (str_eq(cmd, commands[i].name))
				doc = commands[i].answer(plane, param, &err);
		}
	}
	report_unlock();
	return doc != NULL ? doc : json_pack("{s:s}", "error", err.msg);
}

static int on_command(const char *cmd, const char *params, struct rte_tel_data *d)
{
	json_t *doc, *formed;
	char param[PARAM_MAX];

	snprintf(param, sizeof(param), "%s", params != NULL ? params : "");
	param[strcspn(param, "\r\n")] = '\0';
	doc = answer(cmd, param);
	if (doc == NULL)
		return -ENOMEM;
	if (json_is_array(doc)) {
		build_strings(d, doc);
	} else {
		formed = telform(doc);
		if (formed != NULL && telform_size(formed) > TELFORM_MAX) {
			// the mode says more than an answer can hold: its part goes, not a bit of each
			json_object_del(formed, "report");
			json_object_set_new(formed, "omitted", json_string("report"));
		}
		if (formed != NULL)
			build_dict(d, formed);
		json_decref(formed);
	}
	json_decref(doc);
	return 0;
}

int telemetry_register(struct plane *p, struct err *err)
{
	static bool registered; // for ever: DPDK has no way back

	for (size_t i = 0; i < ARRAY_LEN(commands) && !registered; i++) {
		int r = rte_telemetry_register_cmd(commands[i].name, on_command, commands[i].help);

		if (r < 0)
			return err_sys(err, -r, "register '%s' with telemetry", commands[i].name);
	}
	registered = true;
	report_lock();
	plane = p;
	report_unlock();
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The /drover/… commands on DPDK's telemetry socket. Each answers with a JSON object, which telform.h
// brings into what telemetry can carry. They run on a thread a client, one at a time (report_lock).

#include "serve/serve.h"

#include "base/scope.h"
#include "base/str.h"
#include "report/report.h"
#include "serve/answers.h"
#include "serve/telform.h"

#include <rte_telemetry.h>
#include <string.h>

#define PARAM_MAX 256

static struct plane *plane; // NULL: nothing to show

struct command {
	const char *name;
	json_t *(*answer)(struct plane *p, char *param, struct err *err);
	const char *help;
};

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

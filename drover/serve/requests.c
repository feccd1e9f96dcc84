// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "serve/requests.h"

#include "drover.h"
#include "report/report.h"
#include "serve/answers.h"

static answer_fn help;

#define TASK                     \
	{                        \
		"task", ARG_TEXT \
	}
#define THE_TASK                              \
	{                                     \
		"task", ARG_TEXT | ARG_NEEDED \
	}
#define TABLE                                  \
	{                                      \
		"table", ARG_TEXT | ARG_NEEDED \
	}
#define TEXT(name)                          \
	{                                   \
		name, ARG_TEXT | ARG_NEEDED \
	}
#define NUMBER(name)                          \
	{                                     \
		name, ARG_NUMBER | ARG_NEEDED \
	}

const struct request requests[] = {
	{"clear", answer_clear, "figures begin anew", true},
	{"cpes", answer_cpes, "the first CPEs of a table", false, {TABLE}},
	{"help", help, "what can be asked", false},
	{"hop_add",
	 answer_hop_add,
	 "adds or changes a hop of a table",
	 true,
	 {TABLE, NUMBER("id"), TEXT("address"), TEXT("mac"), NUMBER("label"), NUMBER("port")}},
	{"info", answer_info, "version, configuration, uptime, pid", false},
	{"irq", answer_irq, "figures of jitter meters", false, {TASK}},
	{"lat", answer_lat, "figures of latency meters", false, {TASK}},
	{"modes", answer_modes, "modes of tasks", false},
	{"ports", answer_ports, "counters of ports", false, {{"port", ARG_TEXT}}},
	{"rate",
	 answer_rate,
	 "the rate of a generator: 500000, 9.5M, max",
	 true,
	 {THE_TASK, {"pps", ARG_TEXT | ARG_NUMBER | ARG_NEEDED}}},
	{"reload",
	 answer_reload,
	 "reads a table anew, from its file or another",
	 true,
	 {TABLE, {"file", ARG_TEXT}}},
	{"report", answer_report, "all figures at once", true},
	{"rings", answer_rings, "rings between tasks, or those of a task", false, {TASK}},
	{"route_add",
	 answer_route_add,
	 "adds a route, or leads it to another hop",
	 true,
	 {TABLE, TEXT("prefix"), NUMBER("hop")}},
	{"route_del", answer_route_del, "removes a route", true, {TABLE, TEXT("prefix")}},
	{"start", answer_start, "starts a task, or all", true, {TASK}},
	{"stats", answer_stats, "figures of tasks", false, {TASK}},
	{"stop", answer_stop, "stops a task, or all", true, {TASK}},
	{"tables", answer_tables, "sizes of tables", false},
	{"tasks", answer_tasks, "names of the tasks", false},
	{"trace",
	 answer_trace,
	 "traces the next packets of a task",
	 true,
	 {THE_TASK, {"packets", ARG_NUMBER}}},
	{"trace_packets",
	 answer_trace_packets,
	 "what was traced, from a packet on",
	 true,
	 {THE_TASK, {"from", ARG_NUMBER}}},
	{"trace_stop", answer_trace_stop, "ends a trace", true, {THE_TASK}},
	{"user_add",
	 answer_user_add,
	 "adds a subscriber",
	 true,
	 {TABLE, NUMBER("svlan"), NUMBER("cvlan"), NUMBER("gre_id")}},
	{"user_del", answer_user_del, "removes a subscriber", true, {TABLE, NUMBER("gre_id")}},
	{NULL},
};

static struct plane *plane;

static json_t *help(struct plane *, const json_t *, struct err *)
{
	json_t *o = json_object();
	char usage[USAGE_MAX];

	for (const struct request *r = requests; r->name != NULL; r++)
		json_object_set_new(o, request_usage(r, usage), json_string(r->help));
	return o;
}

void requests_of(struct plane *p)
{
	report_lock();
	plane = p;
	report_unlock();
}

json_t *request_refusal(const struct err *err)
{
	return json_pack("{s:s}", "error", err->msg);
}

json_t *request_answer(const struct request *r, const json_t *q)
{
	struct err err = {.code = ENOMEM, .msg = "out of memory"};
	json_t *doc = NULL;

	report_lock();
	if (plane == NULL || __atomic_load_n(&plane->quit, __ATOMIC_RELAXED))
		err_set(&err, ESHUTDOWN, "drover is stopping");
	else
		doc = r->answer(plane, q, &err);
	report_unlock();
	return doc != NULL ? doc : request_refusal(&err);
}

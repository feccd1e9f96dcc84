// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /drover/REQUEST[,ARGUMENT] on DPDK's telemetry socket, for exporters: it shows. What telform.h cannot carry is
// left out, and said. They run on a thread a client, one at a time (report_lock).

#include "serve/serve.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "dpdk.h"
#include "serve/requests.h"
#include "serve/telform.h"

#include <string.h>

#define PREFIX "/drover/"
#define PARAM_MAX 256

static void build_dict(struct rte_tel_data *d, const json_t *object);

static void build_entry(struct rte_tel_data *d, const char *key, const json_t *v)
{
	struct rte_tel_data *inner;

	if (json_is_string(v)) {
		rte_tel_data_add_dict_string(d, key, json_string_value(v));
	} else if (json_is_integer(v) && json_integer_value(v) < 0) {
		rte_tel_data_add_dict_int(d, key, (int)json_integer_value(v));
	} else if (json_is_integer(v)) {
		rte_tel_data_add_dict_uint(d, key, (uint64_t)json_integer_value(v));
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

// What of a list an answer has no room for is left out from its end on, and how much that is is said.
static void fit_list(json_t *formed, const char *name, size_t had)
{
	json_t *kept = json_object(), *v;
	size_t left = TELFORM_MAX - 256;
	const char *key;

	json_object_foreach (json_object_get(formed, name), key, v) {
		size_t size = strlen(key) + 8 + telform_size(v);

		if (size > left)
			break;
		left -= size;
		json_object_set(kept, key, v);
	}
	had -= json_object_size(kept);
	json_object_set_new(formed, name, kept);
	json_object_set_new(formed, "omitted", json_integer((json_int_t)had));
}

static void fit(json_t *formed, const json_t *doc)
{
	static const char *const lists[] = {"tasks", "ports", "rings"};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const json_t *list = json_object_get(doc, lists[i]);

		if (json_is_object(list))
			fit_list(formed, lists[i], json_object_size(list));
	}
	if (telform_size(formed) > TELFORM_MAX) {
		// the mode says more than an answer can hold: its part goes, not a bit of each
		json_object_del(formed, "report");
		json_object_set_new(formed, "omitted", json_string("report"));
	}
}

static json_t *answer(const char *cmd, const char *params)
{
	_cleanup_json_ json_t *q = json_pack("{s:s}", "request", cmd + strlen(PREFIX));
	char param[PARAM_MAX], usage[USAGE_MAX];
	const struct request *r = requests;
	struct err err;

	while (!str_eq(r->name, cmd + strlen(PREFIX)))
		r++;
	if (r->own) {
		err_set(&err,
			EPERM,
			"telemetry only shows; this is for drover's own socket: drover ask %s",
			request_usage(r, usage));
		return request_refusal(&err);
	}
	snprintf(param, sizeof(param), "%s", params != NULL ? params : "");
	param[strcspn(param, "\r\n")] = '\0';
	str_plain(param);
	if (param[0] != '\0' && r->args[0].name != NULL)
		json_object_set_new(q, r->args[0].name, json_string(param));
	r = request_check(q, requests, &err);
	return r != NULL ? request_answer(r, q) : request_refusal(&err);
}

static int on_command(const char *cmd, const char *params, struct rte_tel_data *d)
{
	_cleanup_json_ json_t *doc = answer(cmd, params), *formed = NULL;

	if (json_is_array(json_object_get(doc, "tasks"))) {
		build_strings(d, json_object_get(doc, "tasks"));
		return 0;
	}
	formed = doc != NULL ? telform(doc) : NULL;
	if (formed == NULL)
		return -ENOMEM;
	fit(formed, doc);
	build_dict(d, formed);
	return 0;
}

int telemetry_register(struct err *err)
{
	static bool registered;

	for (const struct request *q = requests; q->name != NULL && !registered; q++) {
		char name[64];
		int r;

		snprintf(name, sizeof(name), PREFIX "%s", q->name);
		r = rte_telemetry_register_cmd(name, on_command, q->help);
		if (r < 0)
			return err_sys(err, -r, "register '%s' with telemetry", name);
	}
	registered = true;
	return 0;
}

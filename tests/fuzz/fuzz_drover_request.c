// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A request to drover is refused with a reason that can be sent back, or it has all that its row wants and
// nothing else.

#include "fuzz.h"

#include "base/jread.h"
#include "serve/request.h"

static const struct request rows[] = {
	{.name = "info"},
	{.name = "stop", .args = {{"task", ARG_TEXT}}},
	{.name = "rate",
	 .args = {{"task", ARG_TEXT | ARG_NEEDED}, {"pps", ARG_TEXT | ARG_NUMBER | ARG_NEEDED}}},
	{.name = "trace", .args = {{"task", ARG_TEXT | ARG_NEEDED}, {"packets", ARG_NUMBER}}},
	{.name = "all",
	 .args =
		 {{"a", ARG_TEXT},
		  {"b", ARG_NUMBER},
		  {"c", ARG_TEXT | ARG_NUMBER},
		  {"d", ARG_TEXT | ARG_NEEDED},
		  {"e", ARG_NUMBER | ARG_NEEDED},
		  {"f", ARG_TEXT | ARG_NUMBER | ARG_NEEDED}}},
	{NULL},
};

static void must_be_as_wanted(const struct request *r, const json_t *q)
{
	size_t keys = 1;

	must(strcmp(json_string_value(json_object_get(q, "request")), r->name) == 0);
	for (unsigned i = 0; i < REQUEST_ARGS && r->args[i].name != NULL; i++) {
		const json_t *v = json_object_get(q, r->args[i].name);

		must(v != NULL || (r->args[i].is & ARG_NEEDED) == 0);
		must(v == NULL || (json_is_string(v) && (r->args[i].is & ARG_TEXT) != 0)
		     || (json_is_integer(v) && (r->args[i].is & ARG_NUMBER) != 0
			 && json_integer_value(v) >= 0 && json_integer_value(v) <= REQUEST_NUMBER));
		keys += v != NULL;
	}
	must(json_object_size(q) == keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *s = fuzz_string(data, len);
	_cleanup_json_ json_t *q = NULL, *refusal = NULL;
	const struct request *r = NULL;
	struct err err = {0};
	char usage[USAGE_MAX];

	if (request_parse(s, len, rows, &r, &q, &err) < 0) {
		must(r == NULL && q == NULL);
		must_explain(&err);
		refusal = json_pack("{s:s}", "error", err.msg);
		must(refusal != NULL);
		return 0;
	}
	must_be_as_wanted(r, q);
	must(strlen(request_usage(r, usage)) < sizeof(usage));
	return 0;
}

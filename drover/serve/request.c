// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "serve/request.h"

#include "base/hint.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <stdint.h>

const char *request_usage(const struct request *r, char buf[static USAGE_MAX])
{
	size_t at = (size_t)snprintf(buf, USAGE_MAX, "%s", r->name);

	for (unsigned i = 0; i < REQUEST_ARGS && r->args[i].name != NULL && at < USAGE_MAX; i++)
		at += (size_t)snprintf(
			buf + at,
			USAGE_MAX - at,
			(r->args[i].is & ARG_NEEDED) != 0 ? " %s=..." : " [%s=...]",
			r->args[i].name
		);
	return buf;
}

static const struct request *find(const char *name, const struct request *rows, struct err *err)
{
	char buf[HINT_MAX];

	for (unsigned i = 0; rows[i].name != NULL; i++) {
		if (str_eq(rows[i].name, name))
			return &rows[i];
	}
	hint_table(buf, "", name, rows, SIZE_MAX);
	err_set(err,
		EINVAL,
		"no request '%.40s'%s",
		name,
		buf[0] != '\0' ? buf : "; 'drover ask help' lists them");
	return NULL;
}

static int check_arg(
	const struct request_arg *a, const json_t *v, const struct request *r, struct err *err
)
{
	static const char *const kinds[] = {
		[ARG_TEXT] = "a string",
		[ARG_NUMBER] = "a whole number from 0 to 4294967295",
		[ARG_TEXT | ARG_NUMBER] = "a string or a whole number",
	};
	unsigned kind = a->is & (ARG_TEXT | ARG_NUMBER);
	char usage[USAGE_MAX];

	if (v == NULL && (a->is & ARG_NEEDED) != 0)
		return err_set(
			err,
			EINVAL,
			"request '%s': '%s' is missing: drover ask %s",
			r->name,
			a->name,
			request_usage(r, usage)
		);
	if (v == NULL || ((kind & ARG_TEXT) != 0 && json_is_string(v))
	    || ((kind & ARG_NUMBER) != 0 && json_is_integer(v) && json_integer_value(v) >= 0
		&& json_integer_value(v) <= REQUEST_NUMBER))
		return 0;
	return err_set(err, EINVAL, "request '%s': '%s' is not %s", r->name, a->name, kinds[kind]);
}

static int check_args(const struct request *r, const json_t *q, struct err *err)
{
	const char *known[REQUEST_ARGS + 2] = {"request"};
	char what[64];

	snprintf(what, sizeof(what), "request '%s'", r->name);
	for (unsigned i = 0; i < REQUEST_ARGS && r->args[i].name != NULL; i++)
		known[i + 1] = r->args[i].name;
	if (jread_keys(q, what, known, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < REQUEST_ARGS && r->args[i].name != NULL; i++) {
		if (check_arg(&r->args[i], json_object_get(q, r->args[i].name), r, err) < 0)
			return -err->code;
	}
	return 0;
}

const struct request *request_check(const json_t *q, const struct request *rows, struct err *err)
{
	const struct request *r = NULL;
	const char *name = NULL;

	if (jread_str(q, "the request", "request", true, &name, err) == 0)
		r = find(name, rows, err);
	return r != NULL && check_args(r, q, err) == 0 ? r : NULL;
}

int request_parse(
	const char *line,
	size_t len,
	const struct request *rows,
	const struct request **ret,
	json_t **q,
	struct err *err
)
{
	_cleanup_json_ json_t *doc = NULL;

	if (jread_parse(line, len, "the request", &doc, err) < 0)
		return -err->code;
	*ret = request_check(doc, rows, err);
	if (*ret == NULL)
		return -err->code;
	*q = steal_ptr(doc);
	return 0;
}

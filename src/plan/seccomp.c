// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Filters as values: the default one, made from the table, and what can be done with another.

#include "plan/seccomp.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

// Appends the names in a string of the table.
static void append_names(json_t *names, const char *calls)
{
	_cleanup_free_ char *copy = strdup(calls);

	str_foreach (name, copy, " ")
		json_array_append_new(names, json_string(name));
}

// ---- filters as text: a start has no time for some two thousand values of jansson's

// Names with one space between them, as strings; none needs an escape.
static void write_names(const char *calls, bool first, FILE *out)
{
	while (*calls != '\0') {
		size_t n = strcspn(calls, " ");

		fputs(first ? "\"" : ",\"", out);
		fwrite(calls, 1, n, out);
		fputc('"', out);
		calls += n + (calls[n] == ' ');
		first = false;
	}
}

static void write_group(const struct seccomp_group *g, FILE *out)
{
	fputs(",{\"names\":[", out);
	for (const struct seccomp_row *r = g->rows; r->calls != NULL; r++)
		write_names(r->calls, r == g->rows, out);
	fputs("],\"action\":\"SCMP_ACT_ALLOW\"}", out);
}

static void write_condition(const struct seccomp_condition *c, FILE *out)
{
	fprintf(out, ",{\"names\":[\"%s\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[", c->call);
	for (unsigned i = 0; i < SECCOMP_COMPARES && c->compares[i].op != NULL; i++) {
		const struct seccomp_compare *one = &c->compares[i];

		fprintf(out,
			"%s{\"index\":%u,\"value\":%lld,\"valueTwo\":%lld,\"op\":\"%s\"}",
			i > 0 ? "," : "",
			one->argument,
			(long long)one->value,
			(long long)one->value_two,
			one->op);
	}
	fputs("]}", out);
}

// A filter that refuses, with one rule: clone3 has its flags and openat2 its mode in memory, where no
// filter sees them. To be told that they are not there makes callers use clone and openat.
static void write_begin(FILE *out)
{
	fprintf(out,
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":%d,"
		"\"architectures\":[\"" SECCOMP_ARCHITECTURE "\"],\"syscalls\":["
		"{\"names\":[\"clone3\",\"openat2\"],\"action\":\"SCMP_ACT_ERRNO\","
		"\"errnoRet\":%d}",
		EPERM,
		ENOSYS);
}

char *seccomp_default_text(uint64_t caps)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	write_begin(out);
	for (const struct seccomp_group *g = seccomp_groups; g->name != NULL; g++) {
		if ((g->needs & caps) == g->needs)
			write_group(g, out);
	}
	for (const struct seccomp_condition *c = seccomp_conditions; c->call != NULL; c++) {
		if (seccomp_applies(c, caps))
			write_condition(c, out);
	}
	fputs("]}", out);
	return fclose(out) == 0 ? steal_ptr(text) : NULL;
}

json_t *seccomp_default(uint64_t caps)
{
	_cleanup_free_ char *text = seccomp_default_text(caps);

	return text != NULL ? json_loads(text, 0, NULL) : NULL;
}

// ---- what a filter lets through

static bool lets_through(const json_t *rule)
{
	const char *action = json_string_value(json_object_get(rule, "action"));

	return action != NULL
	       && (str_eq(action, "SCMP_ACT_ALLOW") || str_eq(action, "SCMP_ACT_LOG"));
}

json_t *seccomp_open_calls(const json_t *filter)
{
	json_t *open = json_object();
	const json_t *rule, *name;
	size_t i, k;

	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		json_t *args = json_object_get(rule, "args");

		if (!lets_through(rule))
			continue;
		json_array_foreach (json_object_get(rule, "names"), k, name) {
			const char *call = json_string_value(name);
			json_t *list = json_object_get(open, call);

			if (list == NULL) {
				list = json_array();
				json_object_set_new(open, call, list);
			}
			if (json_array_size(args) == 0)
				json_array_append_new(list, json_null());
			else
				json_array_append(list, args);
		}
	}
	return open;
}

// Whether each comparison of `few` is one of `many`: then the arguments that `many` lets through, `few`
// does too. Null has none.
static bool implied(const json_t *few, const json_t *many)
{
	const json_t *one, *other;
	size_t i, k;

	json_array_foreach (few, i, one) {
		bool found = false;

		json_array_foreach (many, k, other)
			found = found || json_equal(one, other);
		if (!found)
			return false;
	}
	return true;
}

// Whether one of the lines is no wider than the condition allows.
static bool covers(const json_t *lines, const json_t *args)
{
	const json_t *line;
	size_t i;

	json_array_foreach (lines, i, line) {
		if (implied(line, args))
			return true;
	}
	return false;
}

// The second rule of a new filter holds all names that need no condition.
static void append_rule(json_t *filter, const char *call, json_t *args)
{
	json_t *rules = json_object_get(filter, "syscalls");

	if (json_is_null(args))
		json_array_append_new(
			json_object_get(json_array_get(rules, 1), "names"), json_string(call)
		);
	else
		json_array_append_new(
			rules,
			json_pack(
				"{s:[s], s:s, s:O}",
				"names",
				call,
				"action",
				"SCMP_ACT_ALLOW",
				"args",
				args
			)
		);
}

static int narrow_call(
	json_t *filter,
	const char *call,
	const json_t *wanted,
	const json_t *base,
	const char *what,
	struct err *err
)
{
	json_t *args, *line;
	size_t i, k;

	json_array_foreach (wanted, i, args) {
		bool some = false;

		if (covers(base, args)) {
			append_rule(filter, call, args);
			continue;
		}
		// wider than the default: what that has of it
		json_array_foreach (base, k, line) {
			if (!implied(args, line))
				continue;
			append_rule(filter, call, line);
			some = true;
		}
		if (!some)
			return err_set(
				err,
				EINVAL,
				"%s allows '%s'%s, which the default profile refuses; a strict one "
				"can only narrow it: say --seccomp=FILE, or --cap if it goes with "
				"one",
				what,
				call,
				json_is_null(args) ? "" : " under a condition of its own"
			);
	}
	return 0;
}

int seccomp_narrow(
	const json_t *profile, const json_t *base, const char *what, json_t **ret, struct err *err
)
{
	_cleanup_json_ json_t *wanted = seccomp_open_calls(profile),
			      *have = seccomp_open_calls(base);
	_cleanup_json_ json_t *none = json_array(), *filter = seccomp_of_calls(none, NULL);
	_cleanup_json_ json_t *init = json_array();
	const char *call;
	json_t *args, *name;
	size_t i;

	append_names(init, seccomp_init_calls);
	json_array_foreach (init, i, name) {
		if (json_object_get(wanted, json_string_value(name)) == NULL)
			json_object_set_new(wanted, json_string_value(name), json_pack("[n]"));
	}
	json_object_foreach (wanted, call, args) {
		if (narrow_call(filter, call, args, json_object_get(have, call), what, err) < 0)
			return -err->code;
	}
	*ret = json_incref(filter);
	return 0;
}

json_t *seccomp_beyond(const json_t *profile, const json_t *base)
{
	_cleanup_json_ json_t *wanted = seccomp_open_calls(profile),
			      *have = seccomp_open_calls(base);
	json_t *beyond = json_array(), *lines, *args;
	const char *call;
	size_t i;

	json_object_foreach (wanted, call, lines) {
		json_array_foreach (lines, i, args) {
			if (covers(json_object_get(have, call), args))
				continue;
			json_array_append_new(beyond, json_string(call));
			break;
		}
	}
	return beyond;
}

int seccomp_check_init(const json_t *profile, const char *what, struct err *err)
{
	// without these no container starts; the rest of init's are for signals and terminals
	static const char *const needed[] = {
		"close",
		"execve",
		"exit_group",
		"fcntl",
		"read",
		"wait4",
		"write",
		"rt_sigprocmask"};
	_cleanup_json_ json_t *open = seccomp_open_calls(profile);

	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (json_object_get(open, needed[i]) == NULL)
			return err_set(
				err,
				EINVAL,
				"%s does not allow '%s', without which no program starts; begin "
				"with: pinfold seccomp show --json",
				what,
				needed[i]
			);
	}
	return 0;
}

unsigned seccomp_count(const json_t *filter)
{
	_cleanup_json_ json_t *open = seccomp_open_calls(filter);

	return (unsigned)json_object_size(open);
}

// ---- recordings

json_t *seccomp_notifying(const json_t *filter, const char *socket_path)
{
	json_t *copy = json_deep_copy(filter), *rule;
	size_t i;

	json_array_foreach (json_object_get(copy, "syscalls"), i, rule) {
		if (lets_through(rule))
			json_object_set_new(rule, "action", json_string("SCMP_ACT_NOTIFY"));
	}
	if (copy != NULL)
		json_object_set_new(copy, "listenerPath", json_string(socket_path));
	return copy;
}

json_t *seccomp_of_calls(const json_t *names, const bool *conditions)
{
	_cleanup_free_ char *list = json_dumps(names, JSON_COMPACT), *text = NULL;
	size_t len;
	FILE *out = list != NULL ? open_memstream(&text, &len) : NULL;

	if (out == NULL)
		return NULL;
	write_begin(out);
	fprintf(out, ",{\"names\":%s,\"action\":\"SCMP_ACT_ALLOW\"}", list);
	for (size_t i = 0; conditions != NULL && seccomp_conditions[i].call != NULL; i++) {
		if (conditions[i])
			write_condition(&seccomp_conditions[i], out);
	}
	fputs("]}", out);
	return fclose(out) == 0 ? json_loads(text, 0, NULL) : NULL;
}

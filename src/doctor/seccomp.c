// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Profiles of system calls as Docker and Podman write them: rules with names, an action, and conditions on the capabilities
// of the container (github.com/moby/profiles, github.com/containers/common: pkg/seccomp).

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"

#include <string.h>

static bool lets_through(const json_t *action)
{
	const char *s = json_string_value(action);

	return s != NULL && (str_eq(s, "SCMP_ACT_ALLOW") || str_eq(s, "SCMP_ACT_LOG"));
}

static bool names(const json_t *rule, const char *call)
{
	const char *one = json_string_value(json_object_get(rule, "name"));
	const json_t *e;
	size_t i;

	if (one != NULL && str_eq(one, call))
		return true;
	json_array_foreach (json_object_get(rule, "names"), i, e) {
		if (json_is_string(e) && str_eq(json_string_value(e), call))
			return true;
	}
	return false;
}

// For a container that has none of the capabilities which such rules ask for (CAP_SYS_NICE here). What goes by the
// arguments or the architecture is not taken for all calls.
static bool applies(const json_t *rule)
{
	const json_t *includes = json_object_get(rule, "includes");

	return json_array_size(json_object_get(includes, "caps")) == 0
	       && json_array_size(json_object_get(includes, "arches")) == 0
	       && json_array_size(json_object_get(rule, "args")) == 0;
}

static enum doctor_calls of_call(const json_t *doc, const char *call)
{
	enum doctor_calls found =
		lets_through(json_object_get(doc, "defaultAction")) ? CALLS_ALLOWED : CALLS_UNSAID;
	const json_t *rule;
	size_t i;

	json_array_foreach (json_object_get(doc, "syscalls"), i, rule) {
		if (!names(rule, call) || !applies(rule))
			continue;
		if (lets_through(json_object_get(rule, "action")))
			return CALLS_ALLOWED;
		found = CALLS_REFUSED;
	}
	return found;
}

enum doctor_calls doctor_calls(const char *profile)
{
	_cleanup_json_ json_t *doc = NULL;
	enum doctor_calls get, set;
	struct err unused;

	if (jread_parse(profile, strlen(profile), "a profile", &doc, &unused) < 0
	    || !json_is_string(json_object_get(doc, "defaultAction")))
		return CALLS_UNKNOWN;
	get = of_call(doc, "get_mempolicy");
	set = of_call(doc, "set_mempolicy");
	return get > set ? get : set;
}

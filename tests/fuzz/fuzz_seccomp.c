// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any document as a seccomp profile: an explained refusal, or a filter that refuses what it does not
// name, listens to nobody and has one architecture; narrowed, it lets through no more than the default.

#include "fuzz.h"

#include "base/jread.h"
#include "base/str.h"
#include "plan/seccomp.h"

static void must_refuse_by_default(const json_t *filter)
{
	const char *action = json_string_value(json_object_get(filter, "defaultAction"));
	const json_t *archs = json_object_get(filter, "architectures"), *rule;
	size_t i;

	must(str_eq(action, "SCMP_ACT_ERRNO") || str_starts(action, "SCMP_ACT_KILL"));
	must(json_object_get(filter, "listenerPath") == NULL);
	must(json_array_size(archs) == 1);
	must(str_eq(json_string_value(json_array_get(archs, 0)), SECCOMP_ARCHITECTURE));
	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		must(json_array_size(json_object_get(rule, "names")) > 0);
		must(!str_eq(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_NOTIFY")
		);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	_cleanup_json_ json_t *doc = NULL, *filter = NULL, *again = NULL, *narrow = NULL;
	_cleanup_json_ json_t *base = seccomp_default(0), *beyond = NULL;
	struct err err = {0};

	if (jread_parse(text, len, "profile 'x'", &doc, &err) < 0
	    || seccomp_check(doc, "profile 'x'", &filter, &err) < 0) {
		must_explain(&err);
		return 0;
	}
	must_refuse_by_default(filter);
	must(seccomp_check(filter, "profile 'x'", &again, &err) == 0);
	must(json_equal(filter, again));
	if (seccomp_narrow(filter, base, "profile 'x'", &narrow, &err) < 0) {
		must_explain(&err);
		return 0;
	}
	must_refuse_by_default(narrow);
	beyond = seccomp_beyond(narrow, base);
	must(json_array_size(beyond) == 0);
	return 0;
}

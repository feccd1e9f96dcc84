// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// daemon.json of Docker: {"runtimes": {"pinfold": {"path": "/usr/bin/pinfold-runtime"}}}.

#include "engine/engine.h"

#include "base/jdoc.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <string.h>

#define USUAL "default-runtime"

static bool usual_is_ours(const json_t *doc)
{
	const char *usual = json_string_value(json_object_get(doc, USUAL));

	return usual != NULL && str_eq(usual, ENGINE_RUNTIME);
}

static int edit(json_t *doc, const char *what, const struct engine_want *want, struct err *err)
{
	json_t *runtimes = json_object_get(doc, "runtimes");

	if (runtimes != NULL && !json_is_object(runtimes))
		return err_set(err, EINVAL, "read '%.200s': 'runtimes' is no object", what);
	if (want->remove) {
		json_object_del(runtimes, ENGINE_RUNTIME);
		if (runtimes != NULL && json_object_size(runtimes) == 0)
			json_object_del(doc, "runtimes");
	} else {
		json_t *entry = json_pack("{s:s}", "path", want->runtime);

		if (runtimes == NULL) {
			json_object_set_new(doc, "runtimes", json_object());
			runtimes = json_object_get(doc, "runtimes");
		}
		if (json_object_set_new(runtimes, ENGINE_RUNTIME, entry) < 0)
			return err_oom(err);
	}
	if (want->usual && !want->remove)
		json_object_set_new(doc, USUAL, json_string(ENGINE_RUNTIME));
	else if (want->remove && usual_is_ours(doc))
		json_object_del(doc, USUAL);
	return 0;
}

int engine_edit_docker(
	const char *before,
	const char *what,
	const struct engine_want *want,
	char **ret,
	struct err *err
)
{
	const char *text = before[strspn(before, " \t\r\n")] != '\0' ? before : "{}";
	_cleanup_json_ json_t *doc = NULL, *was = NULL;

	if (jdoc_parse(text, strlen(text), what, &doc, err) < 0)
		return -err->code;
	was = json_deep_copy(doc);
	if (was == NULL)
		return err_oom(err);
	if (edit(doc, what, want, err) < 0)
		return -err->code;
	// as it was written, where nothing is to be changed
	if (json_equal(doc, was))
		*ret = strdup(before);
	else if (json_object_size(doc) == 0)
		*ret = strdup("");
	else
		*ret = jdoc_print_lines(doc);
	return *ret != NULL ? 0 : err_oom(err);
}

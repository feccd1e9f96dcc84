// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// results.json of somebody else: what can be read is read again as it was written, and the reports of it are whole.

#include "fuzz.h"

#include "base/jread.h"
#include "base/scope.h"
#include "bench/compare_runs.h"
#include "bench/report/report.h"
#include "bench/results.h"

#include <string.h>

static void report(
	void (*writer)(FILE *, const struct results *, const struct figures *),
	const struct results *all
)
{
	const struct figures none = {0};
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	writer(f, all, &none);
	must(fclose(f) == 0);
	// what the file says is text, in both
	for (const char *at = text; (at = strstr(at, "<script")) != NULL; at++)
		must(at > text && at[-1] == '\\');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_json_ json_t *doc =
		json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);
	scope_cleanup(results_done) struct results all = {0}, back = {0};
	_cleanup_json_ json_t *once = NULL, *twice = NULL;
	_cleanup_free_ struct compared *c = NULL;
	struct err err = {0};

	if (!json_is_object(doc))
		return 0;
	if (results_from_json(doc, "results", &all, &err) < 0) {
		must(err.code > 0 && strchr(err.msg, '\n') == NULL);
		return 0;
	}
	once = results_to_json(&all);
	must(results_from_json(once, "again", &back, &err) == 0);
	twice = results_to_json(&back);
	must(json_equal(once, twice));
	report(html_write, &all);
	report(markdown_write, &all);
	results_compare(&all, &back, &c);
	return 0;
}

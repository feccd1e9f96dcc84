// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// config.json of an engine: what is read of it, and that it is printed as it was.

#include "fuzz.h"

#include "base/jdoc.h"
#include "base/jread.h"
#include "base/scope.h"
#include "runtime/claim.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	_cleanup_free_ char *once = NULL, *twice = NULL;
	_cleanup_json_ json_t *doc = NULL, *again = NULL;
	struct claim claim = {0};
	struct err err = {0};

	claim_possible(text, strlen(text));
	if (jdoc_parse(text, strlen(text), "config.json", &doc, &err) < 0) {
		must_explain(&err);
		return 0;
	}
	if (claim_read(doc, &claim, &err) < 0)
		must_explain(&err);
	once = jdoc_print(doc);
	if (once == NULL)
		return 0;
	must(jdoc_parse(once, strlen(once), "config.json", &again, &err) == 0);
	twice = jdoc_print(again);
	must(twice != NULL && strcmp(once, twice) == 0);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Reading any document, and every reader on whatever value a key has.

#include "fuzz.h"

#include "base/jread.h"

static void read_each_way(const json_t *obj, const char *key)
{
	struct err err = {0};
	const char *s = NULL;
	uint64_t n = 0;
	bool b = false;
	struct idset set;
	json_t *a = NULL;

	if (jread_str(obj, "x", key, true, &s, &err) < 0)
		must_explain(&err);
	else
		must(s != NULL);
	if (jread_u64(obj, "x", key, true, 100, &n, &err) < 0)
		must_explain(&err);
	must(n <= 100);
	if (jread_size(obj, "x", key, true, &n, &err) < 0)
		must_explain(&err);
	if (jread_bool(obj, "x", key, &b, &err) < 0)
		must_explain(&err);
	if (jread_idset(obj, "x", key, true, &set, &err) < 0)
		must_explain(&err);
	if (jread_array(obj, "x", key, &a, &err) < 0)
		must_explain(&err);
	must(a == NULL || json_is_array(a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const known[] = {"cpus", "mems", "hugepages", "name", "pids", NULL};
	_cleanup_free_ char *s = fuzz_string(data, len);
	_cleanup_json_ json_t *j = NULL;
	struct err err = {0};
	const char *key;
	json_t *value;

	if (jread_parse(s, len, "document 'x'", &j, &err) < 0) {
		must_explain(&err);
		must(j == NULL);
		return 0;
	}
	must(json_is_object(j));
	if (jread_keys(j, "document 'x'", known, &err) < 0)
		must_explain(&err);
	json_object_foreach (j, key, value)
		read_each_way(j, key);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What was parsed and formatted parses to the same size.

#include "fuzz.h"

#include "base/size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *s = fuzz_string(data, len);
	uint64_t v = 7, again = 0;
	struct err err = {0};
	char text[SIZE_STR];

	if (size_parse(s, &v, &err) < 0) {
		must_explain(&err);
		must(v == 7);
		return 0;
	}
	must(size_parse(size_format(v, text), &again, &err) == 0 && again == v);
	must(size_parse(size_format_hugetlb(v, text), &again, &err) == 0 && again == v);
	return 0;
}

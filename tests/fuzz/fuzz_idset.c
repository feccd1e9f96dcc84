// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What was parsed and formatted parses to the same set; the mask holds the same bits.

#include "fuzz.h"

#include "base/idset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char text[IDSET_STR], mask[IDSET_MAX / 32 * 9 + 1];
	_cleanup_free_ char *s = fuzz_string(data, len);
	struct idset set = {{1}}, again;
	struct err err = {0};
	unsigned bits = 0;

	if (idset_parse(s, &set, &err) < 0) {
		must_explain(&err);
		must(set.word[0] == 1);
		return 0;
	}
	idset_format(&set, text, sizeof(text));
	must(strlen(text) + 1 < sizeof(text));
	must(idset_parse(text, &again, &err) == 0);
	must(idset_equal(&set, &again));
	idset_foreach (id, &set) {
		must(idset_has(&set, (unsigned)id));
		bits++;
	}
	must(bits == idset_count(&set));
	idset_format_mask(&set, IDSET_MAX, mask, sizeof(mask));
	for (const char *p = mask; *p != '\0'; p++) {
		char digit[2] = {*p, '\0'};

		if (*p != ',')
			bits -= (unsigned)__builtin_popcountl(strtoul(digit, NULL, 16));
	}
	must(bits == 0);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What comes on a socket of the device plug-in is answered or refused.

#include "fuzz.h"

#include "deviceplugin/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const answer_fn answers[] = {answer_allocate, answer_preferred};
	struct device devices[] = {
		{.name = "fw-1"}, {.name = "fw-2", .why = "CPU 1 is offline"}, {.name = "fw-3"}};
	const struct resource r = {.name = "fw", .n = ARRAY_LEN(devices), .devices = devices};
	_cleanup_free_ char *copy = NULL;

	if (len > 4096)
		return 0;
	copy = fuzz_string(data, len);
	idset_add(&devices[0].nodes, 0);
	idset_add(&devices[1].nodes, 1);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const struct bytes request = {(uint8_t *)copy, len};
		struct bytes b = {0};
		struct err err = {0};

		if (answers[i](&r, &request, &b, &err) < 0) {
			must(b.data == NULL);
			must_explain(&err);
			continue;
		}
		must(b.data != NULL);
		free(b.data);
	}
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The grant as the auditor reads it.

#include "fuzz.h"

#include "inside/audit/given.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	static struct given g;
	struct err err = {0};

	memset(&g, 0x5a, sizeof(g));
	if (given_parse(text, len, "grant 'x'", &g, &err) < 0) {
		must_explain(&err);
		must(g.npages == 0x5a5a5a5a);
		return 0;
	}
	must(g.known && strlen(g.name) < sizeof(g.name));
	must(g.npages <= GIVEN_PAGES && g.nnics <= GIVEN_NICS && g.nmounts <= GIVEN_MOUNTS);
	for (unsigned i = 0; i < g.npages; i++) {
		must(given_pages(&g, g.pages[i].size) == g.pages[i].count);
		for (unsigned k = 0; k < i; k++)
			must(g.pages[k].size != g.pages[i].size);
	}
	for (unsigned i = 0; i < g.nmounts; i++)
		must(memchr(g.mounts[i].path, '\0', sizeof(g.mounts[i].path)) != NULL);
	return 0;
}

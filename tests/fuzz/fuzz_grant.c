// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A grant that is read and written is the same grant.

#include "fuzz.h"

#include "base/jread.h"
#include "grant/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	_cleanup_json_ json_t *doc = NULL, *written = NULL, *again = NULL;
	static struct grant g, h;
	struct err err = {0};

	memset(&g, 0x5a, sizeof(g));
	if (jread_parse(text, len, "grant 'x'", &doc, &err) < 0
	    || grant_from_json(doc, "grant 'x'", &g, &err) < 0) {
		must_explain(&err);
		must(g.nnics == 0x5a5a5a5a);
		return 0;
	}
	must(name_check("a grant", g.name, &err) == 0);
	must(g.nhugepages <= GRANT_HUGEPAGES && g.nnics <= GRANT_NICS && g.nlinks <= GRANT_LINKS);
	written = grant_to_json(&g);
	must(written != NULL);
	must(grant_from_json(written, "grant 'x'", &h, &err) == 0);
	again = grant_to_json(&h);
	must(json_equal(written, again));
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A lease that is read and written is the same lease.

#include "fuzz.h"

#include "base/jread.h"
#include "ledger/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	_cleanup_json_ json_t *doc = NULL, *written = NULL, *again = NULL;
	static struct lease l, m;
	struct err err = {0};

	memset(&l, 0x5a, sizeof(l));
	if (jread_parse(text, len, "lease 'x'", &doc, &err) < 0
	    || lease_from_json(doc, "lease 'x'", &l, &err) < 0) {
		must_explain(&err);
		must(l.nundo == 0x5a5a5a5a);
		return 0;
	}
	must(l.site.place < PLACES);
	must(l.nundo <= LEASE_NOTES);
	written = lease_to_json(&l);
	must(written != NULL);
	must(lease_from_json(written, "lease 'x'", &m, &err) == 0);
	again = lease_to_json(&m);
	must(json_equal(written, again));
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a hostile workload answers when it is asked as a drover.

#include "fuzz.h"

#include "stats/packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct stats_packets p = {0};
	size_t values = PACKETS_VALUES;
	bool is = packets_in_report((const char *)data, len, &values, &p);

	must(is || (p.received == 0 && p.sent == 0 && p.dropped == 0));
	must(p.received <= INT64_MAX && p.sent <= INT64_MAX && p.dropped <= INT64_MAX);
	must(p.at == 0 && values <= PACKETS_VALUES);
	return 0;
}

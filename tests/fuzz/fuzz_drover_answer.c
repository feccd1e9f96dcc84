// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Two answers to drover top, a line each, of whoever has the socket: the page is made of anything.

#include "fuzz.h"

#include "base/jread.h"
#include "client/top.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *s = fuzz_string(data, len);
	_cleanup_json_ json_t *prev = NULL, *now = NULL;
	char *second = strchr(s, '\n');
	struct lines l = {0};

	if (second == NULL)
		return 0;
	*second++ = '\0';
	prev = json_loads(s, 0, NULL);
	now = json_loads(second, 0, NULL);
	if (!json_is_object(prev) || !json_is_object(now))
		return 0;
	sample_rates(prev, NULL);
	sample_rates(now, prev);
	page_lines(now, len % 200, &l);
	must(!l.failed && l.n > 0);
	lines_done(&l);
	return 0;
}

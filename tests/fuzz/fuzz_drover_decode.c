// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any bytes as a packet's beginning: the line about them is printable ASCII that ends within its room.

#include "fuzz.h"

#include "text/decode.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t sizes[] = {0, 1, 20, DECODE_LINE};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		// on the heap: what is beyond it belongs to nobody
		char *line = malloc(sizes[i] > 0 ? sizes[i] : 1);

		must(line != NULL);
		line[0] = '\0';
		decode_packet(data, (unsigned)len, line, sizes[i]);
		for (const char *c = line; *c != '\0'; c++)
			must(*c >= ' ' && *c <= '~');
		must(sizes[i] == 0 || strlen(line) < sizes[i]);
		free(line);
	}
	return 0;
}

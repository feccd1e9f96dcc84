// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any bytes as a frame from a local kernel: a checksum is finished once, and two bytes of the frame (of SCTP
// four) are another.

#include "fuzz.h"

#include "port/checksum.h"

#define ONES 24 // more than there can be in a frame

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	// on the heap, as long as it is: what is beyond it belongs to nobody
	uint8_t *frame = malloc(len > 0 ? len : 1);
	unsigned times = 0;

	must(frame != NULL);
	if (len > 0)
		memcpy(frame, data, len);
	while (checksum_finish_half(frame, (unsigned)len)) {
		size_t changed = 0;

		for (size_t i = 0; i < len; i++)
			changed += frame[i] != data[i];
		// behind one that is right there may be a tunnel with another
		must(++times < ONES && changed > 0 && changed <= 4 * times);
	}
	must(times > 0 || len == 0 || memcmp(frame, data, len) == 0);
	if (len >= 2)
		checksum_finish(frame, (unsigned)len, data[0], data[1]);
	free(frame);
	return 0;
}

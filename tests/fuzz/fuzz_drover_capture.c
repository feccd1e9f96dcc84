// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any bytes as a capture: refused with a reason, or packets that can be sent. And any packet looked through
// for checksums: what is made right then is.

#include "fuzz.h"

#include "task/gen/capture.h"
#include "task/gen/frame.h"
#include "task/proto/sums.h"

static void check_sums(const uint8_t *bytes, unsigned size)
{
	// of exactly its size: a read past its end shows
	_cleanup_free_ uint8_t *frame = malloc(size);
	struct sums sums;

	must(frame != NULL);
	memcpy(frame, bytes, size);
	sums_find(frame, size, &sums);
	must(sums.n <= SUMS_MAX);
	for (unsigned i = 0; i < sums.n; i++) {
		const struct sum_place *s = &sums.of[i];
		uint32_t sum;

		must(s->first < s->end && s->end <= size && s->pseudo < s->first);
		must(s->at >= s->first && s->at + 2 <= s->end && s->at % 2 == 0);
		must(sum_counts(s, s->first, (unsigned)(s->end - s->first)) > 0);
		sum_write(s, frame, frame);
		sum = sum_partial(s, frame) + (uint32_t)(frame[s->at] << 8 | frame[s->at + 1]);
		while (sum >> 16 != 0)
			sum = (sum >> 16) + (sum & 0xffff);
		must(sum == 0xffff);
	}
	sums_part(frame, &sums, size / 3, size / 3);
	sums_resize(frame, &sums, size);
}

static void check_capture(const struct capture *c)
{
	uint64_t bytes = 0;

	must(c->n > 0 && c->n <= CAPTURE_PACKETS && c->bytes <= CAPTURE_BYTES + FRAME_MIN);
	must(c->shortest >= FRAME_MIN && c->longest <= FRAME_MAX && c->shortest <= c->longest);
	for (uint32_t i = 0; i < c->n; i++) {
		must(c->packet[i].at == bytes);
		must(c->packet[i].len >= c->shortest && c->packet[i].len <= c->longest);
		bytes += c->packet[i].len;
		check_sums(c->data + c->packet[i].at, c->packet[i].len);
	}
	must(bytes == c->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct capture c = {0};
	struct err err = {0};
	FILE *f;

	if (len > 0 && len <= FRAME_MAX)
		check_sums(data, (unsigned)len);
	f = fmemopen((void *)(uintptr_t)data, len > 0 ? len : 1, "r");
	must(f != NULL);
	if (capture_load(f, "f", &c, &err) < 0) {
		must_explain(&err);
		must(c.packet == NULL && c.data == NULL);
		return 0;
	}
	check_capture(&c);
	capture_done(&c);
	return 0;
}

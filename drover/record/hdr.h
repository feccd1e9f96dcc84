// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A histogram of constant memory and constant relative error: log-linear, as HdrHistogram
// (hdrhistogram.org) lays it out. Every power of two is cut into 128 buckets: a value is known to
// less than 1 % (1/128), values below 256 exactly.
#pragma once

#include <stdint.h>

#define HDR_SUB_BITS 7
#define HDR_SUB (1u << HDR_SUB_BITS)
#define HDR_VALUE_BITS 40
// Larger values count as this one (but for max and mean): 8 minutes of a TSC of 2.3 GHz.
#define HDR_TOP ((UINT64_C(1) << HDR_VALUE_BITS) - 1)
#define HDR_BUCKETS ((HDR_VALUE_BITS - HDR_SUB_BITS + 1) * HDR_SUB)

// One writer. All zero but for min: see hdr_clear.
struct hdr {
	uint64_t count;
	uint64_t min, max;     // exact; UINT64_MAX and 0 when there is no sample
	unsigned __int128 sum; // exact
	uint64_t buckets[HDR_BUCKETS];
};

// The bucket of a value. Values below 2 * HDR_SUB have a bucket each, as the shift is 0 then.
static inline unsigned hdr_bucket(uint64_t v)
{
	unsigned shift;

	v = v < HDR_TOP ? v : HDR_TOP;
	shift = 63 - HDR_SUB_BITS - (unsigned)__builtin_clzll(v | HDR_SUB);
	return (shift << HDR_SUB_BITS) + (unsigned)(v >> shift);
}

// On the data path: no branch.
static inline void hdr_record(struct hdr *h, uint64_t v)
{
	h->buckets[hdr_bucket(v)]++;
	h->count++;
	h->sum += v;
	h->min = v < h->min ? v : h->min;
	h->max = v > h->max ? v : h->max;
}

void hdr_clear(struct hdr *h);

// Adds what is in `from` to `to`.
void hdr_merge(struct hdr *to, const struct hdr *from);

// The largest value that falls into the bucket.
uint64_t hdr_upper(unsigned bucket);

// The value at or below which `percent` (0..100) of the samples lie: the upper edge of its bucket,
// but never above max. 0 when there is no sample.
uint64_t hdr_percentile(const struct hdr *h, double percent);

// 0 when there is no sample.
double hdr_mean(const struct hdr *h);

struct json_t;

// {"count", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"}: all but count multiplied
// by `scale` (nanoseconds of a tick). Only count when there is no sample. New reference; NULL: no
// memory.
struct json_t *hdr_json(const struct hdr *h, double scale);

// [[upper edge * scale, count], …] of the buckets that are not empty. New reference; NULL: no
// memory.
struct json_t *hdr_json_buckets(const struct hdr *h, double scale);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "record/hdr.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

void hdr_clear(struct hdr *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void hdr_merge(struct hdr *to, const struct hdr *from)
{
	to->count += from->count;
	to->sum += from->sum;
	to->min = from->min < to->min ? from->min : to->min;
	to->max = from->max > to->max ? from->max : to->max;
	for (unsigned i = 0; i < HDR_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
}

uint64_t hdr_upper(unsigned bucket)
{
	unsigned shift = bucket < 2 * HDR_SUB ? 0 : (bucket >> HDR_SUB_BITS) - 1;

	return ((uint64_t)(bucket - (shift << HDR_SUB_BITS) + 1) << shift) - 1;
}

uint64_t hdr_percentile(const struct hdr *h, double percent)
{
	uint64_t total = 0, seen = 0;
	double rank;

	// not h->count: a reader beside the writer may see the two disagree by a sample
	for (unsigned i = 0; i < HDR_BUCKETS; i++)
		total += h->buckets[i];
	if (total == 0)
		return 0;
	// 99.9 is not a binary fraction: 0.999 * 1000 must not become rank 1000
	rank = ceil(percent / 100 * (double)total * (1 - 1e-12));
	for (unsigned i = 0; i < HDR_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen > 0 && (double)seen >= rank) {
			// the last bucket also holds what is above it
			uint64_t v = i == HDR_BUCKETS - 1 ? h->max : hdr_upper(i);

			return v < h->max ? v : h->max;
		}
	}
	return h->max;
}

double hdr_mean(const struct hdr *h)
{
	return h->count > 0 ? (double)h->sum / (double)h->count : 0;
}

struct json_t *hdr_json(const struct hdr *h, double scale)
{
	static const struct {
		const char *name;
		double percent;
	} points[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};
	json_t *o = json_object();
	int bad;

	if (o == NULL)
		return NULL;
	bad = json_object_set_new(o, "count", json_integer((json_int_t)h->count));
	if (h->count > 0) {
		bad |= json_object_set_new(o, "min", json_real((double)h->min * scale));
		for (unsigned i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
			double v = (double)hdr_percentile(h, points[i].percent);

			bad |= json_object_set_new(o, points[i].name, json_real(v * scale));
		}
		bad |= json_object_set_new(o, "max", json_real((double)h->max * scale));
		bad |= json_object_set_new(o, "mean", json_real(hdr_mean(h) * scale));
	}
	if (bad != 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

struct json_t *hdr_json_buckets(const struct hdr *h, double scale)
{
	json_t *a = json_array();

	if (a == NULL)
		return NULL;
	for (unsigned i = 0; i < HDR_BUCKETS; i++) {
		json_t *pair;

		if (h->buckets[i] == 0)
			continue;
		pair = json_pack("[fI]", (double)hdr_upper(i) * scale, (json_int_t)h->buckets[i]);
		if (pair == NULL || json_array_append_new(a, pair) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

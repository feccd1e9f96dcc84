// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Fields of the generator's packets that differ from one to the next ("random=", "range="), and the
// checksums that are right all the same. What does not vary is added up once for each size; for a packet
// the values of the fields are added to that (RFC 1071, section 2; RFC 1624 for packets in flight).
#pragma once

#include "base/err.h"
#include "config/key_gen.h"
#include "task/proto/sums.h"

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <stdint.h>
#include <string.h>

#define VARY_FIELDS KEY_VARY_MAX
#define VARY_TOUCHES (VARY_FIELDS * SUMS_MAX)

struct vary_field {
	uint16_t at;
	uint8_t len, shift;
	bool range, carry;
	uint32_t fixed;	      // bits of these bytes that do not vary
	uint32_t mask;	      // random: those that do
	uint32_t from, to;    // values that are put `shift` above
	uint32_t step, value; // range: value is the next one
	uint64_t span;	      // random: of values, 0: bits by mask
};

struct vary {
	unsigned n, ntouches, nsums;
	uint64_t seed; // of random fields, not 0
	struct vary_field field[VARY_FIELDS];
	struct {
		uint8_t field, sum, shift;
		uint32_t mask; // of the field's bytes that count in the sum
	} touch[VARY_TOUCHES];
	struct sum_place sum[SUMS_MAX]; // that change
};

// What of the sums does not vary, for packets of one size.
struct vary_base {
	uint32_t sum[SUMS_MAX];
};

// From a configuration. layers: of the packet, NULL: its fields have no names. smallest: bytes that all
// packets have. frame: as long at least, of which the fixed bits are taken. sums: of the frame. meter: the
// METER_SIZE bytes there belong to the meter, and no field may touch them; UINT_MAX: there is none.
int vary_make(
	const struct key_vary *k,
	const struct key_layers *layers,
	const uint8_t *frame,
	unsigned smallest,
	const struct sums *sums,
	unsigned meter,
	struct vary *ret,
	struct err *err
);

// Sets what varies in the frame to 0.
void vary_blank(const struct vary *v, uint8_t *frame);

// frame: with zeros where something varies, and where the meter is. sums: of it, at the places that
// vary_make was told.
void vary_base_make(
	const struct vary *v, const uint8_t *frame, const struct sums *sums, struct vary_base *ret
);

// ---- on the data path

// xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
static __rte_always_inline uint32_t vary_draw(struct vary *v)
{
	v->seed ^= v->seed >> 12;
	v->seed ^= v->seed << 25;
	v->seed ^= v->seed >> 27;
	return (uint32_t)((v->seed * UINT64_C(2685821657736338717)) >> 32);
}

// The value of the field for this packet. *began: whether the field before it begins anew with the next
// packet; then whether this one does.
static __rte_always_inline uint32_t vary_next(struct vary *v, struct vary_field *f, bool *began)
{
	uint32_t value;

	if (!f->range) {
		value = vary_draw(v);
		*began = false;
		if (f->span == 0)
			return f->fixed | (value & f->mask);
		value = f->from + (uint32_t)((value * f->span) >> 32);
		return f->fixed | value << f->shift;
	}
	value = f->value;
	if (f->carry && !*began) // and this one does not either
		return f->fixed | value << f->shift;
	*began = f->to - value < f->step;
	f->value = *began ? f->from : value + f->step;
	return f->fixed | value << f->shift;
}

static __rte_always_inline void vary_put(uint8_t *at, unsigned len, uint32_t v)
{
	uint16_t half;

	switch (len) {
	case 4:
		v = rte_cpu_to_be_32(v);
		memcpy(at, &v, sizeof(v));
		break;
	case 3:
		*at++ = (uint8_t)(v >> 16);
		__attribute__((fallthrough));
	case 2:
		half = rte_cpu_to_be_16((uint16_t)v);
		memcpy(at, &half, sizeof(half));
		break;
	default:
		*at = (uint8_t)v;
	}
}

// Into a packet that is as the frame was.
static __rte_always_inline void vary_write(struct vary *v, const struct vary_base *base, uint8_t *p)
{
	uint32_t value[VARY_FIELDS];
	uint64_t sum[SUMS_MAX];
	bool began = false;

	for (unsigned i = 0; i < v->n; i++) {
		value[i] = vary_next(v, &v->field[i], &began);
		vary_put(p + v->field[i].at, v->field[i].len, value[i]);
	}
	for (unsigned i = 0; i < v->nsums; i++)
		sum[i] = base->sum[i];
	for (unsigned i = 0; i < v->ntouches; i++)
		sum[v->touch[i].sum] += (uint64_t)(value[v->touch[i].field] & v->touch[i].mask)
					<< v->touch[i].shift;
	for (unsigned i = 0; i < v->nsums; i++)
		vary_put(p + v->sum[i].at, 2, sum_finish(&v->sum[i], sum[i]));
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/gen/vary.h"

#include "task/gen/frame.h"
#include "task/meter/meter.h"

#include <errno.h>
#include <limits.h>
#include <rte_cycles.h>
#include <stdio.h>

#define WHAT 48

// "random=svlan", "range= at range_offset=42"
static const char *what(const struct key_vary_field *k, char buf[static WHAT])
{
	const char *word = k->range ? "range" : "random";

	if (k->field != FIELD_NONE)
		snprintf(buf, WHAT, "%s=%s", word, key_field_name(k->field));
	else
		snprintf(
			buf, WHAT, "%s= at %s_offset=%u", word, k->range ? "range" : "rand", k->at
		);
	return buf;
}

static int find_place(
	const struct key_vary_field *k,
	const struct key_layers *layers,
	struct frame_place *ret,
	struct err *err
)
{
	char buf[WHAT];

	if (k->field == FIELD_NONE) {
		if (!k->placed)
			return err_set(
				err,
				EINVAL,
				k->range ? "range= without range_offset= behind it"
					 : "random= without rand_offset= behind it"
			);
		*ret = (struct frame_place){k->at, k->len, (uint8_t)(8 * k->len), 0};
		return 0;
	}
	if (layers == NULL)
		return err_set(
			err,
			EINVAL,
			"%s: fields have names in a template= only: say where it is with %s=",
			what(k, buf),
			k->range ? "range_offset" : "rand_offset"
		);
	if (!frame_find(layers, k->field, ret))
		return err_set(
			err, EINVAL, "%s: the packet has no such field: see template=", what(k, buf)
		);
	return 0;
}

static int check_place(
	const struct key_vary_field *k,
	const struct frame_place *p,
	unsigned smallest,
	unsigned meter,
	const struct vary *v,
	struct err *err
)
{
	unsigned at = p->at, end = at + p->len;
	char buf[WHAT];

	if (end > smallest)
		return err_set(
			err, EINVAL, "%s does not fit a packet of %u bytes", what(k, buf), smallest
		);
	if (meter != UINT_MAX && at < meter + METER_SIZE && end > meter)
		return err_set(
			err,
			EINVAL,
			"%s is in the meter, %d bytes from lat pos=%u",
			what(k, buf),
			METER_SIZE,
			meter
		);
	for (unsigned i = 0; i < v->n; i++) {
		if (at < v->field[i].at + v->field[i].len && end > v->field[i].at)
			return err_set(
				err,
				EINVAL,
				"%s covers bytes of a field that varies already",
				what(k, buf)
			);
	}
	return 0;
}

static void add_field(
	const struct key_vary_field *k,
	const struct frame_place *p,
	const uint8_t *frame,
	struct vary *v
)
{
	uint32_t all = UINT32_MAX >> (32 - p->bits) << p->shift, now = 0;

	for (unsigned i = 0; i < p->len; i++)
		now = now << 8 | frame[p->at + i];
	v->field[v->n++] = (struct vary_field){
		.at = p->at,
		.len = p->len,
		.shift = p->shift,
		.range = k->range,
		.carry = k->carry,
		.fixed = k->bits ? k->fixed : now & ~all,
		.mask = k->bits ? k->mask : all,
		.from = k->from,
		.to = k->to,
		.step = k->step,
		.value = k->from,
		.span = k->bits || k->range ? 0 : (uint64_t)k->to - k->from + 1,
	};
}

// The bytes of the field that count in the sum, as bits of its value.
static uint32_t counting(const struct vary_field *f, const struct sum_place *s)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < f->len; i++)
		mask = mask << 8 | (sum_counts(s, f->at + i, 1) > 0 ? 0xff : 0);
	return mask;
}

static void add_sum(const struct sum_place *s, struct vary *v)
{
	bool touched = false;

	if (s->none)
		return;
	for (unsigned i = 0; i < v->n; i++) {
		const struct vary_field *f = &v->field[i];
		uint32_t mask = counting(f, s);

		if (mask == 0)
			continue;
		v->touch[v->ntouches].field = (uint8_t)i;
		v->touch[v->ntouches].sum = (uint8_t)v->nsums;
		// a field whose last byte is at an even place is half a word too low
		v->touch[v->ntouches].shift = (f->at + f->len) % 2 == 0 ? 0 : 8;
		v->touch[v->ntouches++].mask = mask;
		touched = true;
	}
	if (touched)
		v->sum[v->nsums++] = *s;
}

int vary_make(
	const struct key_vary *k,
	const struct key_layers *layers,
	const uint8_t *frame,
	unsigned smallest,
	const struct sums *sums,
	unsigned meter,
	struct vary *ret,
	struct err *err
)
{
	struct vary v = {.seed = rte_rdtsc() | 1};

	for (unsigned i = 0; i < k->n; i++) {
		struct frame_place place;

		if (find_place(&k->field[i], layers, &place, err) < 0
		    || check_place(&k->field[i], &place, smallest, meter, &v, err) < 0)
			return -err->code;
		add_field(&k->field[i], &place, frame, &v);
	}
	for (unsigned i = 0; i < sums->n; i++)
		add_sum(&sums->of[i], &v);
	*ret = v;
	return 0;
}

void vary_blank(const struct vary *v, uint8_t *frame)
{
	for (unsigned i = 0; i < v->n; i++)
		memset(frame + v->field[i].at, 0, v->field[i].len);
}

void vary_base_make(
	const struct vary *v, const uint8_t *frame, const struct sums *sums, struct vary_base *ret
)
{
	for (unsigned i = 0; i < v->nsums; i++) {
		for (unsigned k = 0; k < sums->n; k++) {
			if (sums->of[k].at == v->sum[i].at)
				ret->sum[i] = sum_partial(&sums->of[k], frame);
		}
	}
}

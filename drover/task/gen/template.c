// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/scope.h"
#include "port/address.h"
#include "task/gen/make.h"
#include "task/meter/meter.h"
#include "task/proto/qinq.h"

#include <limits.h>
#include <stdlib.h>

// Without pkt size= a packet is as long as it must be.
static unsigned packet_size(const struct gen_conf *c)
{
	unsigned headers = frame_headers(&c->layers), size = RTE_MAX(headers, (unsigned)FRAME_MIN);

	if (c->size > 0)
		return c->size;
	if (c->bytes.len > 0)
		size = RTE_MAX((unsigned)c->bytes.len, (unsigned)FRAME_MIN);
	if (!gen_meter_wanted(c))
		return size;
	// in front of the end of the user's bytes, but behind the headers of ours
	if (c->pos == KEY_POS_END)
		return c->bytes.len > 0 ? size : RTE_MAX(size, headers + METER_SIZE);
	// of ours, where the user wants it is checked and not made
	if (c->bytes.len > 0 || c->pos == POS_UNSET)
		size = RTE_MAX(size, gen_meter_pos(c, size) + METER_SIZE);
	return RTE_MIN(size, (unsigned)FRAME_MAX);
}

static int source_mac(struct task *t, const struct key_mac *m, uint8_t *mac, struct err *err)
{
	struct rte_ether_addr own;

	switch (m->word) {
	case MAC_ADDRESS:
		memcpy(mac, m->addr, sizeof(m->addr));
		return 0;
	case MAC_UNSET:
	case MAC_HARDWARE:
		own = port_address(t->out[0].port);
		memcpy(mac, own.addr_bytes, sizeof(own.addr_bytes));
		return 0;
	default:
		return err_set(err, EINVAL, "src mac: give an address or hw");
	}
}

static uint64_t given(uint64_t v, uint64_t otherwise)
{
	return v != FIELD_UNSET ? v : otherwise;
}

static int describe(struct task *t, const struct gen_conf *c, struct frame *ret, struct err *err)
{
	struct frame f = {
		.layers = c->layers,
		.dst_mac = {0x02, 0, 0, 0, 0, 0x02},
		.vlan = (uint16_t)given(c->vlan, 1),
		.svlan = (uint16_t)given(c->svlan, 1),
		.cvlan = (uint16_t)given(c->cvlan, 1),
		.label = (uint32_t)given(c->label, 16), // the first that is not reserved
		.gre_key = (uint32_t)given(c->gre_key, 1),
		.outer_src = c->outer_src != IP_UNSET ? c->outer_src : RTE_IPV4(192u, 0, 2, 1),
		.outer_dst = c->outer_dst != IP_UNSET ? c->outer_dst : RTE_IPV4(192u, 0, 2, 254),
		.src_ip = c->src_ip,
		.dst_ip = c->dst_ip,
		.src_port = (uint16_t)c->src_port,
		.dst_port = (uint16_t)c->dst_port,
	};

	if (c->dst_mac.word == MAC_ADDRESS)
		memcpy(f.dst_mac, c->dst_mac.addr, sizeof(f.dst_mac));
	else if (c->dst_mac.word != MAC_UNSET)
		return err_set(err, EINVAL, "dst mac: give an address");
	if (source_mac(t, &c->src_mac, f.src_mac, err) < 0
	    || qinq_stype(c->stype, &f.stype, err) < 0)
		return -err->code;
	*ret = f;
	return 0;
}

static int check_size(const struct gen_conf *c, unsigned size, struct err *err)
{
	unsigned headers = frame_headers(&c->layers), pos = gen_meter_pos(c, size);

	if (c->bytes.len == 0 && size < headers)
		return err_set(
			err,
			EINVAL,
			"a packet of %u bytes has no room for %u of headers",
			size,
			headers
		);
	if (c->bytes.len > size && c->imix.n == 0)
		return err_set(
			err,
			EINVAL,
			"pkt inline has %u bytes but pkt size= says %u: make it larger",
			c->bytes.len,
			size
		);
	if (!gen_meter_wanted(c))
		return 0;
	if (pos + METER_SIZE > size)
		return err_set(
			err,
			EINVAL,
			"the meter's %d bytes at lat pos=%u do not fit a packet of %u: take a "
			"larger pkt size=, a smaller lat pos= or meter=no",
			METER_SIZE,
			pos,
			size
		);
	if (c->bytes.len == 0 && pos < headers)
		return err_set(
			err,
			EINVAL,
			"the meter at lat pos=%u of a packet of %u bytes lies in its headers: %u "
			"or more",
			pos,
			size,
			headers
		);
	return 0;
}

// How far the headers go that say how long the packet is.
static unsigned headers_end(const struct sums *s)
{
	unsigned end = 0;

	for (unsigned i = 0; i < s->n; i++)
		end = RTE_MAX(end, RTE_MAX((unsigned)s->of[i].at + 2, s->of[i].first + 8u));
	return end;
}

// Its headers end before the meter, or within it: who forwards the packet would cut it off.
static bool meter_is_padding(const struct gen_conf *c, const struct sums *s, unsigned size)
{
	unsigned pos = gen_meter_pos(c, size);

	for (unsigned i = 0; gen_meter_wanted(c) && i < s->n; i++) {
		if (s->of[i].pseudo == 0 && pos >= s->of[i].end
		    && pos + METER_SIZE > s->of[i].total)
			return true;
	}
	return false;
}

// A packet of the user's bytes. Its headers are made to say how long it is when it is one of several
// sizes, or has a meter behind what they said.
static int make_inline(
	const struct gen_conf *c,
	uint8_t *frame,
	unsigned size,
	struct sums *sums,
	bool *resized,
	struct err *err
)
{
	uint8_t whole[FRAME_MAX] = {0};
	unsigned end;

	memcpy(frame, c->bytes.data, RTE_MIN(size, (unsigned)c->bytes.len));
	if (c->imix.n == 0) {
		sums_find(frame, size, sums);
		*resized = meter_is_padding(c, sums, size);
		if (!*resized)
			return 0;
		sums_resize(frame, sums, size);
		sums_find(frame, size, sums);
		return 0;
	}
	*resized = true;
	memcpy(whole, c->bytes.data, c->bytes.len);
	sums_find(whole, sizeof(whole), sums);
	end = headers_end(sums);
	if (end > size || end > HEAD)
		return err_set(
			err,
			EINVAL,
			"imix=: the headers of pkt inline= need %u bytes, more than %s",
			end,
			end > HEAD ? "can be written for each size" : "the smallest size"
		);
	sums_resize(frame, sums, size);
	for (unsigned i = 0; i < sums->n; i++) {
		if (sums->of[i].pseudo > 0)
			sums->of[i].end = (uint16_t)size;
	}
	return 0;
}

// ---- frames of each size

static unsigned size_of(const struct gen_conf *c, unsigned i)
{
	return c->imix.n > 0 ? c->imix.of[i].size : packet_size(c);
}

// Of that size, with its checksums right wherever something in them is not the user's. like: the same
// without what varies.
static int make_frame(
	struct making *m,
	unsigned size,
	const struct vary *v,
	uint8_t *frame,
	uint8_t *like,
	struct err *err
)
{
	const struct gen_conf *c = m->c;
	bool resized = false;

	if (c->bytes.len == 0) {
		frame_build(&m->frame, frame, size);
		sums_find(frame, size, &m->sums);
	} else if (make_inline(c, frame, size, &m->sums, &resized, err) < 0) {
		return -err->code;
	}
	gen_fix_sums(c, v, resized, frame, like, size, &m->sums);
	return 0;
}

// The first of the largest size is what the pool's buffers are filled with.
static int make_body(struct making *m, struct vary *v, struct err *err)
{
	const struct vary none = {0};
	const struct gen_conf *c = m->c;
	unsigned meter = gen_meter_wanted(c) ? gen_meter_pos(c, m->smallest) : UINT_MAX;
	_cleanup_free_ uint8_t *like = gen_frame(m->largest);

	m->body = gen_frame(m->largest);
	if (m->body == NULL || like == NULL)
		return err_oom(err);
	if (make_frame(m, m->largest, &none, m->body, like, err) < 0)
		return -err->code;
	return vary_make(
		&c->vary,
		c->bytes.len == 0 ? &c->layers : NULL,
		m->body,
		m->smallest,
		&m->sums,
		meter,
		v,
		err
	);
}

static unsigned weights(const struct key_imix *x)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < x->n; i++)
		sum += x->of[i].weight;
	return sum;
}

// Which size comes when: each is as far from itself as it can be (smooth weighted round robin). Equal
// weights follow each other as they are listed.
static void interleave(const struct key_imix *x, struct gen_packet *order)
{
	int32_t credit[KEY_IMIX_MAX] = {0};
	unsigned total = weights(x);

	for (unsigned k = 0; k < total; k++) {
		unsigned best = 0;

		for (unsigned i = 0; i < x->n; i++) {
			credit[i] += x->of[i].weight;
			if (credit[i] > credit[best])
				best = i;
		}
		credit[best] -= (int32_t)total;
		order[k] = (struct gen_packet){best * HEAD, x->of[best].size, (uint16_t)best};
	}
}

// Heads and sums of each size, and their order.
static int make_sizes(struct making *m, const struct vary *v, struct err *err)
{
	const struct gen_conf *c = m->c;
	unsigned sizes = RTE_MAX(c->imix.n, 1u), n = c->imix.n > 0 ? weights(&c->imix) : 1;
	_cleanup_free_ uint8_t *frame = gen_frame(m->largest), *like = gen_frame(m->largest);
	struct gen_many *many = gen_new_many(m->task, m->g);
	struct gen_packet *order;
	struct vary_base *base;
	uint8_t *heads;

	if (frame == NULL || like == NULL || many == NULL)
		return err_oom(err);
	many->packet = order = gen_take(m->task, n * sizeof(*order));
	many->base = base = gen_take(m->task, sizes * sizeof(*base));
	many->data = heads = gen_take(m->task, (size_t)sizes * HEAD);
	if (order == NULL || base == NULL || heads == NULL)
		return err_oom(err);
	for (unsigned i = 0; i < sizes; i++) {
		unsigned size = size_of(c, i);

		memset(frame, 0, m->largest + HEAD);
		if (check_size(c, size, err) < 0 || make_frame(m, size, v, frame, like, err) < 0)
			return -err->code;
		memcpy(heads + (size_t)i * HEAD, frame, HEAD);
		vary_base_make(v, like, &m->sums, &base[i]);
	}
	order[0] = (struct gen_packet){0, (uint16_t)m->largest, 0};
	if (c->imix.n > 0)
		interleave(&c->imix, order);
	many->n = n;
	many->sizes = sizes;
	many->vary = *v;
	return 0;
}

int gen_make_template(struct making *m, struct err *err)
{
	const struct gen_conf *c = m->c;
	struct vary v;

	m->smallest = m->largest = size_of(c, 0);
	for (unsigned i = 1; i < c->imix.n; i++) {
		m->smallest = RTE_MIN(m->smallest, size_of(c, i));
		m->largest = RTE_MAX(m->largest, size_of(c, i));
	}
	if (gen_check_mtu(m->task, m->largest, err) < 0 || check_size(c, m->smallest, err) < 0
	    || describe(m->task, c, &m->frame, err) < 0 || make_body(m, &v, err) < 0)
		return -err->code;
	memcpy(m->g->head, m->body, RTE_MIN(m->largest, HEAD));
	if (c->imix.n == 0 && v.n == 0)
		return 0;
	return make_sizes(m, &v, err);
}

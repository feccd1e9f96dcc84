// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/gen/capture.h"
#include "task/gen/make.h"
#include "task/meter/meter.h"

#include <stdio.h>
#include <stdlib.h>

// A line at once, for `drover check` and for who would not wait until the end.
static void warn_odd(const struct making *m, const struct capture *cap)
{
	fprintf(stderr,
		"drover: warning: task '%s': pcap file=%.80s: %u of %u times cannot be, before an "
		"earlier packet's or over a year later: no time passes until those\n",
		m->task->name,
		m->c->capture,
		cap->odd,
		cap->n);
}

static int keep_capture(struct making *m, const struct capture *cap, struct err *err)
{
	struct gen_many *many = gen_new_many(m->task, m->g);
	const struct vary none = {0};
	struct gen_packet *packet;
	uint64_t *gap = NULL;
	struct sums sums;
	uint8_t *data;

	if (many == NULL)
		return err_oom(err);
	many->packet = packet = gen_take(m->task, cap->n * sizeof(*packet));
	many->data = data = gen_take(m->task, cap->bytes);
	if (gen_timed(m->c))
		many->gap = gap = gen_take(m->task, cap->n * sizeof(*gap));
	if (packet == NULL || data == NULL || (gap == NULL && gen_timed(m->c)))
		return err_set(
			err,
			ENOMEM,
			"keep %u packets of %.1f MB: out of memory; grant more hugepages",
			cap->n,
			(double)cap->bytes / 1e6
		);
	memcpy(data, cap->data, cap->bytes);
	for (uint32_t i = 0; i < cap->n; i++) {
		packet[i] = (struct gen_packet){cap->packet[i].at, cap->packet[i].len, 0};
		if (gap != NULL)
			gap[i] = gen_cycles(cap->packet[i].gap);
		if (!gen_meter_wanted(m->c))
			continue;
		sums_find(data + packet[i].at, packet[i].len, &sums);
		gen_fix_sums(
			m->c, &none, false, data + packet[i].at, m->body, packet[i].len, &sums
		);
	}
	if (gap != NULL && cap->odd > 0)
		warn_odd(m, cap);
	many->odd = gap != NULL ? cap->odd : 0;
	many->n = cap->n;
	many->whole = true;
	return 0;
}

static int check_captured(const struct making *m, const struct capture *cap, struct err *err)
{
	const struct gen_conf *c = m->c;
	uint64_t time = 0;

	for (uint32_t i = 0; i < cap->n && time == 0; i++)
		time += cap->packet[i].gap;
	if (gen_timed(c) && time == 0)
		return err_set(
			err,
			EINVAL,
			"pcap file=%.80s: no time passes between its packets: say rate= instead of "
			"timing=capture",
			c->capture
		);
	if (gen_meter_wanted(c) && gen_meter_pos(c, cap->shortest) + METER_SIZE > cap->shortest)
		return err_set(
			err,
			EINVAL,
			"the meter's %d bytes at lat pos=%u do not fit a packet of %u of the "
			"capture",
			METER_SIZE,
			gen_meter_pos(c, cap->shortest),
			cap->shortest
		);
	return gen_check_mtu(m->task, cap->longest, err);
}

int gen_make_capture(struct making *m, struct err *err)
{
	struct capture cap = {0};
	int r;

	if (capture_read(m->c->capture, &cap, err) < 0)
		return err_wrap(err, "pcap file");
	m->largest = m->smallest = cap.longest;
	m->body = gen_frame(cap.longest);
	r = m->body == NULL ? err_oom(err) : check_captured(m, &cap, err);
	if (r == 0)
		r = keep_capture(m, &cap, err);
	if (r == 0 && !m->c->loop)
		m->g->left = cap.n;
	capture_done(&cap);
	return r;
}

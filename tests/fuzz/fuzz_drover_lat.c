// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any packets through the latency meter: it counts each once, gives back its buffer, and adds up.
//
// Input: of each packet a byte of how it is made, a byte of its length, and its bytes.

#include "fuzz.h"

#include "../unit/drover_rig.h"
#include "task/meter/meter.h"

#include <jansson.h>

static struct rig rig;

static struct task *start(void)
{
	_cleanup_free_ void *conf = NULL;
	struct err err = {0};
	struct task *t;

	rig_start(&rig);
	conf = rig_conf("lat");
	t = rig_task(&rig, "lat", conf, &err);
	must(t != NULL);
	return t;
}

static uint64_t number(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	must(json_is_integer(v) && json_integer_value(v) >= 0);
	return (uint64_t)json_integer_value(v);
}

// Bits of how: 0-1 a valid meter is written over the packet's at 42, of stream 0..3; 2: its check
// is left as it is; 3-7: size of segments.
static void send_packet(uint8_t how, const uint8_t *data, size_t len)
{
	uint8_t frame[256] = {0};
	struct meter m;

	memcpy(frame, data, len);
	if ((how & 4) == 0) {
		meter_read(frame + METER_POS, &m);
		meter_write(frame + METER_POS, meter_id(how & 3, m.run, m.seq), m.stamp);
	}
	must(rte_ring_enqueue(rig.ring, rig_packet(&rig, frame, (unsigned)len, how >> 3)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct task *t;
	static uint64_t sent, runs;
	json_t *o;

	if (t == NULL)
		t = start();
	while (len >= 3) {
		size_t n = data[1] < len - 2 ? data[1] : len - 2;

		send_packet(data[0], data + 2, n);
		sent++;
		data += 2 + n;
		len -= 2 + n;
		if (rte_ring_count(rig.ring) >= 100)
			while (t->poll(t) > 0)
				;
	}
	while (t->poll(t) > 0)
		;
	must(rte_mempool_avail_count(rig.pool) == rig.pool->size);
	must(t->counters.rx == sent);
	// a report waits for an lcore, which there is none
	if (runs++ % 4096 != 0)
		return 0;
	o = json_object();
	t->mode->report(t, o);
	must(number(o, "received") + number(o, "corrupt") + number(o, "unstamped")
		     + number(o, "unknown_stream")
	     == sent);
	must(number(o, "duplicates") + number(o, "stale") + number(o, "reordered")
	     <= number(o, "received"));
	json_decref(o);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "serve/trace.h"

#include "task/trace.h"
#include "tsc.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES 48 // a string of telemetry has no room for more in hexadecimal

// A number of the whole text, or the default when there is none.
static int parse_number(
	const char *text, unsigned none, unsigned min, unsigned max, unsigned *ret, struct err *err
)
{
	unsigned long v = none;
	char *end = (char *)text;

	if (*text != '\0')
		v = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : max + 1ul;
	if (v < min || v > max || *end != '\0')
		return err_set(
			err, EINVAL, "'%.24s': a number of packets from %u to %u", text, min, max
		);
	*ret = (unsigned)v;
	return 0;
}

json_t *trace_start_json(struct task *t, const char *count, struct err *err)
{
	unsigned n = 0;

	if (parse_number(count, 1, 1, TRACE_PACKETS, &n, err) < 0 || trace_begin(t, n, err) < 0)
		return NULL;
	return json_pack("{s:s, s:i}", "task", t->name, "wanted", (int)n);
}

static const char *port_name(const struct plane *p, uint16_t id)
{
	for (unsigned i = 0; i < p->nports; i++) {
		if (p->ports[i].id == id)
			return p->ports[i].conf->name;
	}
	return NULL;
}

// A task's output as the configuration calls it: a port, or the task at the other end of a ring.
static const char *output_name(const struct plane *p, const struct task *t, unsigned out)
{
	const char *name;

	for (unsigned i = 0; i < p->nrings; i++) {
		if (p->rings[i].from == t && p->rings[i].out == out)
			return p->rings[i].to->name;
	}
	name = port_name(p, t->out[out].port);
	return name != NULL ? name : "?";
}

static json_t *hex(const uint8_t *data, uint32_t whole)
{
	unsigned len = RTE_MIN(whole, (uint32_t)TRACE_BYTES);
	json_t *lines = json_array();
	char text[2 * LINE_BYTES + 1];

	for (unsigned at = 0; at < len; at += LINE_BYTES) {
		for (unsigned i = 0; i < LINE_BYTES && at + i < len; i++)
			snprintf(text + 2 * i, 3, "%02x", data[at + i]);
		json_array_append_new(lines, json_string(text));
	}
	return lines;
}

static json_t *packet_json(
	const struct plane *p, const struct task *t, const struct trace_packet *q, uint64_t first
)
{
	json_t *o = json_object(), *out = json_array();
	const char *port = port_name(p, q->port);
	const double ns = 1e9 / (double)tsc_hz();

	for (unsigned i = 0; i < RTE_MIN((unsigned)q->nsent, (unsigned)TRACE_OUTPUTS); i++)
		json_array_append_new(out, json_string(output_name(p, t, q->out[i])));
	json_object_set_new(
		o, "time_ns", json_integer((json_int_t)((double)(q->tsc - first) * ns))
	);
	json_object_set_new(
		o, "at_ns", json_integer((json_int_t)((double)(q->tsc - p->started) * ns))
	);
	json_object_set_new(o, "length", json_integer(q->len));
	if (port != NULL)
		json_object_set_new(o, "port", json_string(port));
	json_object_set_new(o, "sent", json_integer(q->nsent));
	json_object_set_new(o, "outputs", out);
	if (q->drop != TRACE_KEPT)
		json_object_set_new(o, "drop", json_string(task_drop_name(t->mode, q->drop)));
	json_object_set_new(o, "bytes", hex(q->data, q->len));
	if (q->nsent > 0) {
		json_object_set_new(o, "out_length", json_integer(q->out_len));
		json_object_set_new(o, "out_bytes", hex(q->out_data, q->out_len));
	}
	return o;
}

json_t *trace_packets_json(
	const struct plane *p, const struct task *t, const char *from, struct err *err
)
{
	const struct trace *r = trace_of(t);
	json_t *doc, *packets;
	uint32_t seen, end;
	unsigned first = 0;

	if (parse_number(from, 0, 0, TRACE_PACKETS, &first, err) < 0)
		return NULL;
	if (r == NULL) {
		err_set(err,
			ENOENT,
			"task '%s' was not traced; /drover/trace,%s,N begins",
			t->name,
			t->name);
		return NULL;
	}
	doc = json_object();
	packets = json_object();
	// in this order: what is over has all its packets
	json_object_set_new(doc, "over", json_boolean(__atomic_load_n(&r->over, __ATOMIC_ACQUIRE)));
	seen = __atomic_load_n(&r->seen, __ATOMIC_ACQUIRE);
	json_object_set_new(doc, "task", json_string(r->task->name));
	json_object_set_new(doc, "wanted", json_integer(r->wanted));
	json_object_set_new(doc, "seen", json_integer(seen));
	end = RTE_MIN(seen, first + TRACE_ANSWER);
	for (uint32_t i = first; i < end; i++) {
		char key[12];

		snprintf(key, sizeof(key), "%u", i);
		json_object_set_new(
			packets, key, packet_json(p, r->task, &r->packet[i], r->packet[0].tsc)
		);
	}
	json_object_set_new(doc, "packets", packets);
	return doc;
}

json_t *trace_stop_json(const struct task *t, struct err *err)
{
	const struct trace *r = trace_of(t);

	(void)err;
	trace_stop(t);
	return json_pack("{s:i}", "seen", r != NULL ? (int)r->seen : 0);
}

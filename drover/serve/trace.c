// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What of a trace (task/trace.h) is asked for over the socket.

#include "serve/answers.h"

#include "drover.h"
#include "task/trace.h"
#include "tsc.h"

#include <rte_cycles.h>
#include <stdio.h>

// A number of packets, or what is said where it is not given.
static int read_number(
	const json_t *q,
	const char *key,
	unsigned none,
	unsigned min,
	unsigned *ret,
	struct err *err
)
{
	const json_t *v = json_object_get(q, key);
	json_int_t n = v != NULL ? json_integer_value(v) : none;

	if (n < min || n > TRACE_PACKETS)
		return err_set(
			err,
			EINVAL,
			"'%lld': a number of packets from %u to %d",
			(long long)n,
			min,
			TRACE_PACKETS
		);
	*ret = (unsigned)n;
	return 0;
}

json_t *answer_trace(struct plane *p, const json_t *q, struct err *err)
{
	struct task *t;
	unsigned n = 0;

	if (answer_task(p, q, &t, err) < 0 || read_number(q, "packets", 1, 1, &n, err) < 0
	    || trace_begin(t, n, err) < 0)
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
	char text[2 * TRACE_BYTES + 1] = "";

	for (unsigned i = 0; i < RTE_MIN(whole, (uint32_t)TRACE_BYTES); i++)
		snprintf(text + (size_t)2 * i, 3, "%02x", data[i]);
	return json_string(text);
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

json_t *answer_trace_packets(struct plane *p, const json_t *q, struct err *err)
{
	const struct trace *r;
	json_t *doc, *packets;
	unsigned from = 0;
	struct task *t;
	uint32_t seen;

	if (answer_task(p, q, &t, err) < 0 || read_number(q, "from", 0, 0, &from, err) < 0)
		return NULL;
	r = trace_of(t);
	if (r == NULL) {
		err_set(err,
			ENOENT,
			"task '%s' was not traced; 'drover trace %s' does it",
			t->name,
			t->name);
		return NULL;
	}
	doc = json_object();
	packets = json_array();
	// in this order: what is over has all its packets
	json_object_set_new(doc, "over", json_boolean(__atomic_load_n(&r->over, __ATOMIC_ACQUIRE)));
	seen = __atomic_load_n(&r->seen, __ATOMIC_ACQUIRE);
	json_object_set_new(doc, "task", json_string(t->name));
	json_object_set_new(doc, "wanted", json_integer(r->wanted));
	json_object_set_new(doc, "seen", json_integer(seen));
	for (uint32_t i = from; i < seen; i++)
		json_array_append_new(packets, packet_json(p, t, &r->packet[i], r->packet[0].tsc));
	json_object_set_new(doc, "packets", packets);
	return doc;
}

json_t *answer_trace_stop(struct plane *p, const json_t *q, struct err *err)
{
	const struct trace *r;
	struct task *t;

	if (answer_task(p, q, &t, err) < 0)
		return NULL;
	trace_stop(t);
	r = trace_of(t);
	return json_pack("{s:i}", "seen", r != NULL ? (int)r->seen : 0);
}

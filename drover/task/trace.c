// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/trace.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

#define RING 64 // above what comes of one packet: mirror's 32 times

static struct trace trace;
static struct rte_ring *in_ring, *out_ring[TASK_OUTPUTS];

// What a task has, while rings are in its place.
struct real {
	struct task_in rx;
	uint16_t nrx, next_rx, nctrl;
	struct rte_ring *out[TASK_OUTPUTS];
};

static void put_rings(struct task *t, struct real *r)
{
	r->rx = t->rx[0];
	r->nrx = t->nrx;
	r->next_rx = t->next_rx;
	r->nctrl = t->nctrl;
	t->rx[0] = (struct task_in){.ring = in_ring};
	t->nrx = 1;
	t->next_rx = 0;
	t->nctrl = 0;
	for (unsigned i = 0; i < t->nout; i++) {
		r->out[i] = t->out[i].ring;
		t->out[i].ring = out_ring[i];
	}
}

static void put_back(struct task *t, const struct real *r)
{
	t->rx[0] = r->rx;
	t->nrx = r->nrx;
	t->next_rx = r->next_rx;
	t->nctrl = r->nctrl;
	for (unsigned i = 0; i < t->nout; i++)
		t->out[i].ring = r->out[i];
}

// Sends for good what the mode has sent, and counted.
static void send_on(struct task *t, unsigned to, struct trace_packet *p)
{
	struct task_out *out = &t->out[to];
	struct rte_mbuf *m[RING];
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(out_ring[to], (void **)m, RING, NULL);
	uint16_t sent;

	if (n == 0)
		return;
	sent = task_offer(out, m, n);
	if (sent < n)
		sent = task_tx_rest(t, out, m, n, sent);
	t->counters.tx -= (uint64_t)(n - sent);
	if (t->nout > 1)
		out->sent -= (uint64_t)(n - sent);
	for (uint16_t i = 0; i < sent; i++, p->nsent++) {
		if (p->nsent < TRACE_OUTPUTS)
			p->out[p->nsent] = (uint16_t)to;
	}
}

static void fill(struct trace_packet *p, const struct rte_mbuf *m)
{
	uint32_t len = RTE_MIN(m->pkt_len, (uint32_t)TRACE_BYTES);
	const void *data = rte_pktmbuf_read(m, 0, len, p->data);

	p->tsc = rte_rdtsc();
	p->len = m->pkt_len;
	p->port = m->port;
	p->nsent = 0;
	p->drop = TRACE_KEPT;
	if (data != NULL && data != p->data)
		memcpy(p->data, data, len);
}

static void one(struct task *t, struct rte_mbuf *m, struct trace_packet *p)
{
	uint64_t drops[DROP_COMMON + TASK_DROPS];
	struct real real;

	fill(p, m);
	memcpy(drops, t->counters.drops, sizeof(drops));
	put_rings(t, &real);
	rte_ring_sp_enqueue(in_ring, m);
	trace.poll(t);
	put_back(t, &real);
	for (unsigned i = 0; i < t->nout; i++)
		send_on(t, i, p);
	for (unsigned i = DROP_COMMON + TASK_DROPS; i-- > 0;) {
		if (t->counters.drops[i] != drops[i])
			p->drop = (uint8_t)i;
	}
}

static uint16_t poll_traced(struct task *t)
{
	// packets of a burst beyond those that are wanted go the same way, into the last one's place
	static struct trace_packet spare;
	struct rte_mbuf *m[BURST];
	bool stop = __atomic_load_n(&trace.stop, __ATOMIC_RELAXED);
	uint16_t n = stop ? 0 : task_rx(t, m);

	// the mode counts them
	t->counters.rx -= n;
	for (uint16_t i = 0; i < n; i++) {
		if (trace.seen < trace.wanted) {
			one(t, m[i], &trace.packet[trace.seen]);
			__atomic_store_n(&trace.seen, trace.seen + 1, __ATOMIC_RELEASE);
		} else {
			one(t, m[i], &spare);
		}
	}
	if (stop || trace.seen == trace.wanted) {
		__atomic_store_n(&t->poll, trace.poll, __ATOMIC_RELAXED);
		__atomic_store_n(&trace.over, true, __ATOMIC_RELEASE);
	}
	return n;
}

// ---- the control side

const struct trace *trace_get(void)
{
	return &trace;
}

static struct rte_ring *make_ring(const char *what, unsigned i)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "trace%s%u", what, i);
	return rte_ring_create(
		name, RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ
	);
}

// They stay for the next trace.
static int make_rings(unsigned nout, struct err *err)
{
	if (in_ring == NULL)
		in_ring = make_ring("in", 0);
	if (in_ring == NULL)
		return err_oom(err);
	for (unsigned i = 0; i < nout; i++) {
		if (out_ring[i] == NULL)
			out_ring[i] = make_ring("out", i);
		if (out_ring[i] == NULL)
			return err_oom(err);
	}
	return 0;
}

int trace_begin(struct task *t, uint32_t wanted, struct err *err)
{
	if (t->nrx + t->nctrl == 0)
		return err_set(err, EINVAL, "task '%s' receives nothing to trace", t->name);
	if (trace.task != NULL && !__atomic_load_n(&trace.over, __ATOMIC_ACQUIRE))
		return err_set(
			err,
			EBUSY,
			"task '%s' is still traced: wait for its packets, or /drover/trace_stop",
			trace.task->name
		);
	if (make_rings(t->nout, err) < 0)
		return -err->code;
	trace.task = t;
	trace.poll = t->poll;
	trace.wanted = wanted;
	trace.seen = 0;
	trace.stop = trace.over = false;
	__atomic_store_n(&t->poll, poll_traced, __ATOMIC_RELEASE);
	return 0;
}

void trace_stop(void)
{
	__atomic_store_n(&trace.stop, true, __ATOMIC_RELAXED);
}

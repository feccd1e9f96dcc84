// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/trace.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

#define RING 64 // above what comes of one packet: mirror's 32 times

static struct trace traces[TRACE_TASKS];

// What a task has, while rings are in its place.
struct real {
	struct task_in rx;
	uint16_t nrx, next_rx, nctrl;
	struct rte_ring *out[TASK_OUTPUTS];
};

static void put_rings(struct task *t, const struct trace *trace, struct real *r)
{
	r->rx = t->rx[0];
	r->nrx = t->nrx;
	r->next_rx = t->next_rx;
	r->nctrl = t->nctrl;
	t->rx[0] = (struct task_in){.ring = trace->in_ring};
	t->nrx = 1;
	t->next_rx = 0;
	t->nctrl = 0;
	for (unsigned i = 0; i < t->nout; i++) {
		r->out[i] = t->out[i].ring;
		t->out[i].ring = trace->out_ring[i];
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

static uint32_t copy_bytes(const struct rte_mbuf *m, uint8_t *to)
{
	uint32_t len = RTE_MIN(m->pkt_len, (uint32_t)TRACE_BYTES);
	const void *data = rte_pktmbuf_read(m, 0, len, to);

	if (data != NULL && data != to)
		memcpy(to, data, len);
	return m->pkt_len;
}

// Sends for good what the mode has sent, and counted.
static void send_on(struct task *t, struct rte_ring *ring, unsigned to, struct trace_packet *p)
{
	struct task_out *out = &t->out[to];
	struct rte_mbuf *m[RING];
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(ring, (void **)m, RING, NULL);
	uint32_t left = UINT32_MAX; // less what is dropped
	uint16_t sent;

	if (n == 0)
		return;
	// before it is another's
	if (p->nsent == 0)
		p->out_len = copy_bytes(m[0], p->out_data);
	sent = task_offer(out, m, n);
	if (sent < n)
		sent = task_tx_rest(t, out, m, n, sent, t->mode->blind ? NULL : &left);
	t->counters.tx -= (uint64_t)(n - sent);
	t->counters.tx_bytes -= UINT32_MAX - left;
	if (t->nout > 1)
		out->sent -= (uint64_t)(n - sent);
	for (uint16_t i = 0; i < sent; i++, p->nsent++) {
		if (p->nsent < TRACE_OUTPUTS)
			p->out[p->nsent] = (uint16_t)to;
	}
}

static void fill(struct trace_packet *p, const struct rte_mbuf *m)
{
	p->len = copy_bytes(m, p->data);
	p->tsc = rte_rdtsc();
	p->port = m->port;
	p->nsent = 0;
	p->drop = TRACE_KEPT;
}

static void one(
	struct task *t, const struct trace *trace, struct rte_mbuf *m, struct trace_packet *p
)
{
	uint64_t drops[DROP_COMMON + TASK_DROPS];
	struct real real;

	fill(p, m);
	memcpy(drops, t->counters.drops, sizeof(drops));
	put_rings(t, trace, &real);
	rte_ring_sp_enqueue(trace->in_ring, m);
	trace->poll(t);
	put_back(t, &real);
	for (unsigned i = 0; i < t->nout; i++)
		send_on(t, trace->out_ring[i], i, p);
	for (unsigned i = DROP_COMMON + TASK_DROPS; i-- > 0;) {
		if (t->counters.drops[i] != drops[i])
			p->drop = (uint8_t)i;
	}
}

static struct trace *find(const struct task *t)
{
	for (unsigned i = 0; i < TRACE_TASKS; i++) {
		if (__atomic_load_n(&traces[i].task, __ATOMIC_RELAXED) == t)
			return &traces[i];
	}
	return NULL;
}

static uint16_t poll_traced(struct task *t)
{
	struct trace *trace = find(t);
	struct rte_mbuf *m[BURST];
	bool stop = __atomic_load_n(&trace->stop, __ATOMIC_RELAXED);
	uint16_t n = stop ? 0 : task_rx(t, m);

	// the mode counts them
	t->counters.rx -= n;
	for (uint16_t i = 0; i < n; i++) {
		if (trace->seen < trace->wanted) {
			one(t, trace, m[i], &trace->packet[trace->seen]);
			__atomic_store_n(&trace->seen, trace->seen + 1, __ATOMIC_RELEASE);
		} else {
			// beyond those that are wanted: they go the same way
			one(t, trace, m[i], &trace->spare);
		}
	}
	if (stop || trace->seen == trace->wanted) {
		__atomic_store_n(&t->poll, trace->poll, __ATOMIC_RELAXED);
		__atomic_store_n(&trace->over, true, __ATOMIC_RELEASE);
	}
	return n;
}

// ---- the control side

const struct trace *trace_of(const struct task *t)
{
	return find(t);
}

static bool goes_on(const struct trace *trace)
{
	return trace->task != NULL && !__atomic_load_n(&trace->over, __ATOMIC_ACQUIRE);
}

static struct rte_ring *make_ring(const struct trace *trace, const char *what, unsigned i)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "trace%u%s%u", (unsigned)(trace - traces), what, i);
	return rte_ring_create(
		name, RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ
	);
}

// They stay for the next trace.
static int make_rings(struct trace *trace, unsigned nout, struct err *err)
{
	if (trace->in_ring == NULL)
		trace->in_ring = make_ring(trace, "in", 0);
	if (trace->in_ring == NULL)
		return err_oom(err);
	for (unsigned i = 0; i < nout; i++) {
		if (trace->out_ring[i] == NULL)
			trace->out_ring[i] = make_ring(trace, "out", i);
		if (trace->out_ring[i] == NULL)
			return err_oom(err);
	}
	return 0;
}

// The task's own, one that nobody had, or one that is over.
static struct trace *place_for(const struct task *t)
{
	struct trace *place = find(t);

	for (unsigned i = 0; i < TRACE_TASKS && place == NULL; i++) {
		if (traces[i].task == NULL)
			place = &traces[i];
	}
	for (unsigned i = 0; i < TRACE_TASKS && place == NULL; i++) {
		if (!goes_on(&traces[i]))
			place = &traces[i];
	}
	return place;
}

int trace_begin(struct task *t, uint32_t wanted, struct err *err)
{
	struct trace *trace = place_for(t);

	if (t->nrx + t->nctrl == 0)
		return err_set(err, EINVAL, "task '%s' receives nothing to trace", t->name);
	if (trace == NULL)
		return err_set(
			err,
			EBUSY,
			"%d tasks are traced already: wait for their packets, or "
			"'drover ask trace_stop task=TASK'",
			TRACE_TASKS
		);
	if (goes_on(trace))
		return err_set(
			err,
			EBUSY,
			"task '%s' is still traced: wait for its packets, or 'drover ask "
			"trace_stop task=%s'",
			t->name,
			t->name
		);
	if (make_rings(trace, t->nout, err) < 0)
		return -err->code;
	__atomic_store_n(&trace->task, t, __ATOMIC_RELAXED);
	trace->poll = t->poll;
	trace->wanted = wanted;
	trace->seen = 0;
	trace->stop = trace->over = false;
	__atomic_store_n(&t->poll, poll_traced, __ATOMIC_RELEASE);
	return 0;
}

void trace_stop(const struct task *t)
{
	struct trace *trace = find(t);

	if (trace != NULL)
		__atomic_store_n(&trace->stop, true, __ATOMIC_RELAXED);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A task: one network function on one lcore. A mode is one file that defines a struct task_mode and
// registers it; no list has to be touched to add one.
#pragma once

#include "base/err.h"
#include "base/scope.h"
#include "config/config.h"
#include "task/drops.h"

#include <rte_common.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_spinlock.h>
#include <stdbool.h>
#include <stdint.h>

#define BURST 32
#define TASK_INPUTS 48
#define TASK_OUTPUTS 128

struct rte_mempool;
struct task;

// Counters of a task. One writer, its lcore; readers take what they see. Never reset: a reader that
// wants "since" remembers where it began.
struct task_counters {
	uint64_t rx, tx;	     // packets
	uint64_t rx_bytes, tx_bytes; // of the same packets; 0 in a mode that is blind
	uint64_t bursts;	     // polls that had packets
	uint64_t polls;		     // all polls
	uint64_t busy;		     // TSC cycles of polls with packets
	uint64_t idle;		     // TSC cycles of polls without
	uint64_t drops[DROP_COMMON + TASK_DROPS];
} __rte_cache_aligned;

// What the control side asks of a running task.
struct task_control {
	bool stopped;	// the task polls nothing
	bool held;	// the same for a moment: a port of it is started anew
	double rate;	// gen: packets a second, 0: as fast as it can; see task_rate
	uint32_t epoch; // incremented whenever rate changes
};

static inline double task_rate(const struct task_control *c)
{
	double rate;

	__atomic_load(&c->rate, &rate, __ATOMIC_RELAXED);
	return rate;
}

// Where a task takes packets from: a queue of a port or, when ring is not NULL, a ring that another
// task fills.
struct task_in {
	struct rte_ring *ring;
	uint16_t port, queue;
};

// What stands before a port that cannot take all: it has one queue, as most virtual devices do, and several
// lcores send to it, one after the other; or not every packet fits.
struct task_gate {
	rte_spinlock_t lock;
	bool shared;	   // by several lcores
	uint16_t max_segs; // 0: no limit
	uint32_t max_len;
	uint64_t
		unfit; // packets thrown away, which count as sent by the task and as errors of the port
	bool squeezed; // lcores share CPUs: who waits lets others run
} __rte_cache_aligned;

// Where a task sends to: a queue of a port or, when ring is not NULL, a ring that another task empties.
struct task_out {
	struct rte_ring *ring;
	struct task_gate *gate; // NULL: the queue is this lcore's own, and takes all
	uint16_t port, queue;	// port RTE_MAX_ETHPORTS: none
	bool no_wait; // waiting could be for ever: the other end of the ring waits for this lcore
	// of task_send. One writer, the task's lcore. A task with one output has them in its counters.
	uint64_t sent, dropped;
};

// Outputs first to first + n - 1.
struct task_set {
	uint16_t first, n;
};

// Packets of the burst at hand for one output.
struct task_stage {
	uint16_t n;
	struct rte_mbuf *m[BURST];
};

struct task {
	// first: what the poll function touches for every burst
	uint16_t (*poll)(struct task *t); // one burst; returns how many packets it had
	void *state;			  // of the mode
	uint16_t nrx, next_rx;		  // ordinary inputs, from rx[0]
	uint16_t nctrl;			  // rx[nrx]…: rings of the control path, looked at rarely
	uint16_t nout;
	bool keep;	   // "drop=no": offer again until the output has taken all
	bool squeezed;	   // it shares its CPU: who waits lets others run
	uint16_t ntouched; // outputs with staged packets
	struct task_in rx[TASK_INPUTS];
	struct task_out out[TASK_OUTPUTS];
	struct task_set set[PROTO_COUNT]; // set[PROTO_IPV4] has all outputs unless proto= says else
	struct task_stage *stage;	  // one for each output, see task_put
	uint16_t touched[TASK_OUTPUTS];
	uint32_t put_bytes;		// of staged packets, of those who keep no sum of their own
	uint64_t ctrl_due, ctrl_cycles; // TSC of the next look at the control path; cycles between
	// The output to a port, by its ethdev number; TASK_OUTPUTS: none. For outputs to tasks, those
	// of "remap=".
	uint16_t out_of_port[RTE_MAX_ETHPORTS];
	struct task_control control;
	struct task_counters counters;
	// set-up and description
	const struct task
		*leads[TASK_OUTPUTS]; // the task at the other end of an output; NULL: a port
	const struct task_mode *mode;
	const struct conf_task *conf;
	struct rte_mempool *pool; // of its lcore's node
	unsigned lcore, id;	  // id within its core
	int socket;
	unsigned index; // among all tasks
	char name[48];	// name of the core, with ".ID" when it has several tasks
};

struct task_mode {
	const char *name;
	const char *alias;	 // NULL: none
	const char *help;	 // one line
	bool wants_rx, wants_tx; // an input, an output must be given
	bool may_tx;		 // without an output packets end there
	bool many_tx;		 // it chooses among several outputs
	bool by_proto;		 // it tells protocols apart: "tx cores=… proto=arp"
	// packets that go on are as they came, but for Ethernet addresses, labels and marks
	bool passes;
	bool blind;   // it looks into no packet, not even at its length: no bytes are counted
	uint8_t adds; // and for so many bytes more in front
	const struct key *keys; // of its own, on top of the common ones; ends with a NULL name
	size_t conf_size;	// of what the keys fill
	void (*defaults)(void *conf); // NULL: zero
	const char *const *drops;     // names of its drop reasons, by TASK_DROP_NAMES; NULL: none
	unsigned ndrops;
	size_t state_size; // of t->state; 0: none
	bool puts;	   // it sends by task_put
	// Fills t->state, all zeros, from conf, and sets t->poll. Everything is allocated here, on t->socket.
	int (*init)(struct task *t, const void *conf, struct err *err);
	// Frees what is in t->state, also where init has failed. NULL: nothing is.
	void (*done)(struct task *t);
	// For `drover top`, telemetry and the end of a run: adds the mode's own figures. Called on the
	// control thread. NULL: none. object: a json_t.
	void (*report)(struct task *t, void *object);
	void (*clear)(struct task *t); // forgets what report says
	// Tells the user what should be known at the end of a run (one line), or returns false.
	bool (*verdict)(struct task *t, char *line, size_t len);
	struct task_mode *next;
};

void task_mode_register(struct task_mode *m);
// By name or alias; NULL: none such.
const struct task_mode *task_mode_find(const char *name);
const struct task_mode *task_modes(void); // the first, in order of name

#define TASK_MODE(m)                    \
	RTE_INIT(task_mode_init_##m)    \
	{                               \
		task_mode_register(&m); \
	}

// The name of a drop reason by its number in counters.drops; NULL past the last.
const char *task_drop_name(const struct task_mode *mode, unsigned reason);

// ---- on the data path

static __rte_always_inline void task_drop(struct task *t, unsigned reason, struct rte_mbuf *m)
{
	t->counters.drops[reason]++;
	rte_pktmbuf_free(m);
}

// From a task with several inputs. Out of line: it looks at clocks and counts.
uint16_t task_rx_many(struct task *t, struct rte_mbuf **m);

static __rte_always_inline uint16_t task_rx_one(const struct task_in *in, struct rte_mbuf **m)
{
	if (in->ring == NULL)
		return rte_eth_rx_burst(in->port, in->queue, m, BURST);
	return (uint16_t)rte_ring_dequeue_burst(in->ring, (void **)m, BURST, NULL);
}

// Takes a burst from the next of the task's inputs.
static __rte_always_inline uint16_t task_rx(struct task *t, struct rte_mbuf **m)
{
	uint16_t n;

	if (likely(t->nrx == 1 && t->nctrl == 0))
		n = task_rx_one(&t->rx[0], m);
	else
		n = task_rx_many(t, m);
	t->counters.rx += n;
	return n;
}

// Packets that come over a ring were last touched by another core, or long ago: all their buffers'
// heads are asked for at once.
static __rte_always_inline void task_prefetch(struct rte_mbuf *const *m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(m[i]);
}

// To a queue of several lcores, or one that does not take all.
uint16_t task_offer_in_turn(const struct task_out *out, struct rte_mbuf **m, uint16_t n);

static __rte_always_inline uint16_t
task_offer(const struct task_out *out, struct rte_mbuf **m, uint16_t n)
{
	if (likely(out->ring == NULL)) {
		if (unlikely(out->gate != NULL))
			return task_offer_in_turn(out, m, n);
		return rte_eth_tx_burst(out->port, out->queue, m, n);
	}
	return (uint16_t)rte_ring_enqueue_burst(out->ring, (void *const *)m, n, NULL);
}

// The output was full after `sent` of n: the rest is dropped and counted, or offered again with
// "drop=no". What is dropped is taken off *bytes (NULL: nobody counts them). Out of line: the ordinary
// burst goes out in one call.
uint16_t task_tx_rest(
	struct task *t,
	struct task_out *out,
	struct rte_mbuf **m,
	uint16_t n,
	uint16_t sent,
	uint32_t *bytes
);

// Offers the burst to the output. What it does not take is dropped and counted, or offered again with
// "drop=no", and is taken off *bytes (NULL: nobody counts them). Returns how many were sent.
static __rte_always_inline uint16_t
task_tx_to(struct task *t, struct task_out *out, struct rte_mbuf **m, uint16_t n, uint32_t *bytes)
{
	uint16_t sent = task_offer(out, m, n);

	if (unlikely(sent < n))
		sent = task_tx_rest(t, out, m, n, sent, bytes);
	t->counters.tx += sent;
	return sent;
}

// Sends to the first output. bytes: of the burst, summed up before: what was sent is another's.
static __rte_always_inline uint16_t
task_tx(struct task *t, struct rte_mbuf **m, uint16_t n, uint32_t bytes)
{
	uint16_t sent = task_tx_to(t, &t->out[0], m, n, &bytes);

	t->counters.tx_bytes += bytes;
	return sent;
}

// The same to output `to` of several, which counts for itself.
static __rte_always_inline uint16_t
task_send(struct task *t, unsigned to, struct rte_mbuf **m, uint16_t n, uint32_t bytes)
{
	uint16_t sent = task_tx_to(t, &t->out[to], m, n, &bytes);

	t->counters.tx_bytes += bytes;
	t->out[to].sent += sent;
	return sent;
}

// For tasks that decide by packet: task_put says where each goes, task_flush at the end of the burst
// sends. At most BURST packets in between. With a single output as well. *bytes grows by the packet's: a
// variable of the loop that is given to task_flush or, off the fast path, t->put_bytes.
static __rte_always_inline void task_put(
	struct task *t, unsigned to, struct rte_mbuf *m, uint32_t *bytes
)
{
	struct task_stage *s = &t->stage[to];

	if (s->n == 0)
		t->touched[t->ntouched++] = (uint16_t)to;
	s->m[s->n++] = m;
	*bytes += m->pkt_len;
}

static __rte_always_inline void task_flush(struct task *t, uint32_t bytes)
{
	bytes += t->put_bytes;
	for (uint16_t i = 0; i < t->ntouched; i++) {
		struct task_stage *s = &t->stage[t->touched[i]];
		struct task_out *out = &t->out[t->touched[i]];

		out->sent += task_tx_to(t, out, s->m, s->n, &bytes);
		s->n = 0;
	}
	t->counters.tx_bytes += bytes;
	t->put_bytes = 0;
	t->ntouched = 0;
}

// Makes what its mode needs, as conf has it. On failure nothing is left of it.
int task_begin(struct task *t, const void *conf, struct err *err);
void task_end(struct task *t);

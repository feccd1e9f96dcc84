// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A task: one network function on one lcore. A mode is one file that defines a struct task_mode and
// registers it; no list has to be touched to add one.
#pragma once

#include "base/err.h"
#include "config/key.h"

#include <rte_common.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define BURST 32
#define TASK_PORTS 16
#define TASK_DROPS 16 // reasons a mode may have of its own

struct conf_task;
struct rte_mempool;
struct task;

// Drops that any task can have. Those of a mode follow, in the order of its list.
enum {
	DROP_TX_FULL = 0, // the output took fewer packets than it was offered
	DROP_COMMON
};

// Counters of a task. One writer, its lcore; readers take what they see. Never reset: a reader that
// wants "since" remembers where it began.
struct task_counters {
	uint64_t rx, tx;	     // packets
	uint64_t rx_bytes, tx_bytes; // of the modes that look into packets; else see the port
	uint64_t bursts;	     // polls that had packets
	uint64_t polls;		     // all polls
	uint64_t busy;		     // TSC cycles of polls with packets
	uint64_t idle;		     // TSC cycles of polls without
	uint64_t drops[DROP_COMMON + TASK_DROPS];
} __rte_cache_aligned;

// What the control side asks of a running task.
struct task_control {
	bool stopped;	// the task polls nothing
	uint64_t rate;	// gen: packets a second, 0: as fast as it can
	uint32_t epoch; // incremented whenever rate changes
};

// One queue of one port.
struct port_queue {
	uint16_t port, queue;
};

struct task {
	// first: what the poll function touches for every burst
	uint16_t (*poll)(struct task *t); // one burst; returns how many packets it had
	void *state;			  // of the mode
	uint16_t nrx, next_rx;
	struct port_queue rx[TASK_PORTS];
	struct port_queue tx; // port RTE_MAX_ETHPORTS: none
	bool keep;	      // "drop=no": offer again until the output has taken all
	struct task_control control;
	struct task_counters counters;
	// set-up and description
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
	bool wants_rx, wants_tx; // a port must be given
	const struct key *keys;	 // of its own, on top of the common ones; ends with a NULL name
	size_t conf_size;	 // of what the keys fill
	void (*defaults)(void *conf); // NULL: zero
	const char *const *drops;     // names of its drop reasons, NULL-terminated; NULL: none
	// Makes t->state from conf, and t->poll. Everything is allocated here, on t->socket.
	int (*init)(struct task *t, const void *conf, struct err *err);
	void (*done)(struct task *t); // NULL: rte_free(t->state)
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

// Takes a burst from the next of the task's inputs.
static __rte_always_inline uint16_t task_rx(struct task *t, struct rte_mbuf **m)
{
	const struct port_queue *q = &t->rx[t->next_rx];
	uint16_t n;

	if (unlikely(t->nrx > 1)) {
		t->next_rx++;
		if (t->next_rx == t->nrx)
			t->next_rx = 0;
	}
	n = rte_eth_rx_burst(q->port, q->queue, m, BURST);
	t->counters.rx += n;
	return n;
}

// The output was full after `sent` of n. Out of line: the ordinary burst goes out in one call.
uint16_t task_tx_rest(struct task *t, struct rte_mbuf **m, uint16_t n, uint16_t sent);

// Sends; what the output does not take is dropped and counted, or offered again with "drop=no".
// Returns what was sent.
static __rte_always_inline uint16_t task_tx(struct task *t, struct rte_mbuf **m, uint16_t n)
{
	uint16_t sent = rte_eth_tx_burst(t->tx.port, t->tx.queue, m, n);

	if (unlikely(sent < n))
		sent = task_tx_rest(t, m, n, sent);
	t->counters.tx += sent;
	return sent;
}

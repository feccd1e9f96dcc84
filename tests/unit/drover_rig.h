// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tasks of drover in a test's own process: EAL without hugepages and devices, one port that is a
// ring.
#pragma once

#include "record/hdr.h"
#include "task/task.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_RING 4096

#define rig_must(cond)                                                                  \
	do {                                                                            \
		if (!(cond)) {                                                          \
			fprintf(stderr, "%s:%d: rig: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                        \
		}                                                                       \
	} while (0)

struct rig {
	struct rte_mempool *pool; // 2048 bytes of data
	struct rte_ring *ring;	  // what is sent to the port comes back from it
	uint16_t port;
};

// A port that is a ring of at least `size` packets: what is sent to it is found there.
static inline struct rte_ring *rig_output(
	const struct rig *r, const char *name, unsigned size, uint16_t *ret_port
)
{
	struct rte_ring *ring = rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_EXACT_SZ);
	struct rte_eth_conf conf = {0};
	int port;

	rig_must(ring != NULL);
	port = rte_eth_from_ring(ring);
	rig_must(port >= 0);
	*ret_port = (uint16_t)port;
	rig_must(rte_eth_dev_configure(*ret_port, 1, 1, &conf) == 0);
	rig_must(rte_eth_rx_queue_setup(*ret_port, 0, 0, SOCKET_ID_ANY, NULL, r->pool) == 0);
	rig_must(rte_eth_tx_queue_setup(*ret_port, 0, 0, SOCKET_ID_ANY, NULL) == 0);
	rig_must(rte_eth_dev_start(*ret_port) == 0);
	return ring;
}

static inline void rig_start(struct rig *r)
{
	static char *argv[] = {
		(char *)"rig",
		(char *)"--no-huge",
		(char *)"--no-pci",
		(char *)"--no-telemetry",
		(char *)"--no-shconf",
		(char *)"--iova-mode=va",
		(char *)"--log-level=error",
		(char *)"--lcores=0",
		(char *)"-m256",
		NULL,
	};
	cpu_set_t before;

	// EAL puts it on CPU 0: fuzzers that run beside each other would share that
	rig_must(sched_getaffinity(0, sizeof(before), &before) == 0);
	rig_must(rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv) >= 0);
	rig_must(sched_setaffinity(0, sizeof(before), &before) == 0);
	r->pool = rte_pktmbuf_pool_create(
		"rig", 8191, 0, 0, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY
	);
	rig_must(r->pool != NULL);
	r->ring = rig_output(r, "rig", RIG_RING - 1, &r->port);
}

// The configuration of a mode with its defaults. Free it.
static inline void *rig_conf(const char *mode)
{
	const struct task_mode *m = task_mode_find(mode);
	void *conf;

	rig_must(m != NULL);
	conf = calloc(1, m->conf_size + 1);
	rig_must(conf != NULL);
	if (m->defaults != NULL)
		m->defaults(conf);
	return conf;
}

// Sets a number by the name of its key.
static inline void rig_set(const char *mode, void *conf, const char *key, uint64_t v)
{
	const struct key *k = task_mode_find(mode)->keys;
	void *at;

	while (k->name != NULL && strcmp(k->name, key) != 0)
		k++;
	rig_must(k->name != NULL);
	at = (char *)conf + k->offset;
	if (k->kind == &kind_u32 || k->kind == &kind_ipv4 || k->kind == &kind_pos)
		*(uint32_t *)at = (uint32_t)v;
	else if (k->kind == &kind_u64 || k->kind == &kind_time)
		*(uint64_t *)at = v;
	else if (k->kind == &kind_bool)
		*(bool *)at = v;
	else if (k->kind == &kind_rate)
		((struct key_rate *)at)->pps = v;
	else
		rig_must(!"a key that holds a number");
}

// Where a key's value is.
static inline void *rig_at(const char *mode, void *conf, const char *key)
{
	const struct key *k = task_mode_find(mode)->keys;

	while (k->name != NULL && strcmp(k->name, key) != 0)
		k++;
	rig_must(k->name != NULL);
	return (char *)conf + k->offset;
}

// A task between the rig's port and itself. NULL: init failed, see err. Ends with rig_done.
static inline struct task *rig_task(
	struct rig *r, const char *mode, const void *conf, struct err *err
)
{
	struct task *t = rte_zmalloc("task", sizeof(*t), RTE_CACHE_LINE_SIZE);

	rig_must(t != NULL);
	t->mode = task_mode_find(mode);
	rig_must(t->mode != NULL);
	t->pool = r->pool;
	t->socket = SOCKET_ID_ANY;
	t->nrx = t->mode->wants_rx ? 1 : 0;
	t->rx[0] = (struct task_in){.port = r->port};
	t->nout = t->mode->wants_tx ? 1 : 0;
	t->out[0] = (struct task_out){.port = t->mode->wants_tx ? r->port : RTE_MAX_ETHPORTS};
	t->set[PROTO_IPV4] = (struct task_set){0, t->nout};
	if (task_begin(t, conf, err) < 0) {
		rte_free(t);
		return NULL;
	}
	return t;
}

static inline void rig_done(struct task *t)
{
	task_end(t);
	rte_free(t);
}

// Takes all packets out of the ring. Returns how many there were.
static inline unsigned rig_drain(struct rig *r)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	for (; rte_ring_dequeue(r->ring, (void **)&m) == 0; n++)
		rte_pktmbuf_free(m);
	return n;
}

// A packet of len bytes in segments of at most `segment` bytes (0: one segment).
static inline struct rte_mbuf *rig_packet(
	struct rig *r, const uint8_t *data, unsigned len, unsigned segment
)
{
	struct rte_mbuf *first = NULL, *last = NULL;

	do {
		unsigned n = segment > 0 && segment < len ? segment : len;
		struct rte_mbuf *m = rte_pktmbuf_alloc(r->pool);

		rig_must(m != NULL && n <= rte_pktmbuf_tailroom(m));
		m->data_len = (uint16_t)n;
		memcpy(rte_pktmbuf_mtod(m, void *), data, n);
		if (first == NULL) {
			first = m;
		} else {
			last->next = m;
			first->nb_segs++;
		}
		last = m;
		first->pkt_len += n;
		data += n;
		len -= n;
	} while (len > 0);
	return first;
}

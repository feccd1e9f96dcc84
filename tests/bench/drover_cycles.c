// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Cycles a packet of drover's modes beside a bare loop that does the same work, in one process: 64 B,
// burst 32, 4096 packets that circulate through a ring, so that they are not hot in L2. Both sides are
// compiled with the same flags, in this one program, and measured in turn.
//
//   drover_cycles [CPU]
//
// prints JSON: {"tsc_mhz", "burst", "packets", "none": [[drover, bare loop]…], "l2fwd": …}

#include "drover.h"

#include "base/scope.h"
#include "base/str.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_vect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKETS 4096
#define BURSTS 20000 // of one measurement
#define REPEATS 31
#define FRAME 60 // 64 B on the wire

struct bench {
	uint16_t port;
	struct rte_mempool *pool;
	struct rte_ring *ring;
};

static void bare_none(const struct bench *b)
{
	struct rte_mbuf *m[BURST];

	for (unsigned i = 0; i < BURSTS; i++) {
		uint16_t n = rte_eth_rx_burst(b->port, 0, m, BURST);

		rte_eth_tx_burst(b->port, 0, m, n);
	}
}

static void bare_l2fwd(const struct bench *b)
{
	const __m128i swap = _mm_set_epi8(15, 14, 13, 12, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6);
	struct rte_mbuf *m[BURST];

	for (unsigned i = 0; i < BURSTS; i++) {
		uint16_t n = rte_eth_rx_burst(b->port, 0, m, BURST);

		for (uint16_t k = 0; k < n; k++) {
			__m128i *eth = rte_pktmbuf_mtod(m[k], __m128i *);

			_mm_storeu_si128(eth, _mm_shuffle_epi8(_mm_loadu_si128(eth), swap));
		}
		rte_eth_tx_burst(b->port, 0, m, n);
	}
}

static void drover(struct task *t)
{
	for (unsigned i = 0; i < BURSTS; i++)
		t->counters.bursts += t->poll(t) > 0;
}

static int make(struct bench *b)
{
	struct rte_eth_conf conf = {0};
	struct rte_mbuf *m[PACKETS];
	int port;

	b->ring = rte_ring_create("circle", PACKETS * 2, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	b->pool = rte_pktmbuf_pool_create(
		"pool", PACKETS * 2 - 1, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0
	);
	if (b->ring == NULL || b->pool == NULL)
		return -1;
	port = rte_eth_from_rings("bench", &b->ring, 1, &b->ring, 1, 0);
	if (port < 0 || rte_eth_dev_configure((uint16_t)port, 1, 1, &conf) < 0
	    || rte_eth_rx_queue_setup((uint16_t)port, 0, 512, 0, NULL, b->pool) < 0
	    || rte_eth_tx_queue_setup((uint16_t)port, 0, 512, 0, NULL) < 0
	    || rte_eth_dev_start((uint16_t)port) < 0
	    || rte_pktmbuf_alloc_bulk(b->pool, m, PACKETS) < 0)
		return -1;
	b->port = (uint16_t)port;
	for (unsigned i = 0; i < PACKETS; i++)
		memset(rte_pktmbuf_append(m[i], FRAME), (int)i, FRAME);
	return rte_ring_enqueue_bulk(b->ring, (void **)m, PACKETS, NULL) == PACKETS ? 0 : -1;
}

static struct task *make_task(const struct bench *b, const char *mode, struct err *err)
{
	struct task *t = rte_zmalloc(NULL, sizeof(*t), RTE_CACHE_LINE_SIZE);
	void *conf;

	if (t == NULL)
		return NULL;
	t->mode = task_mode_find(mode);
	t->nrx = 1;
	t->rx[0] = (struct task_in){.port = b->port};
	t->nout = 1;
	t->out[0] = (struct task_out){.port = b->port};
	conf = calloc(1, t->mode->conf_size + 1);
	if (task_begin(t, conf, err) < 0)
		t = NULL;
	free(conf);
	return t;
}

static double per_packet(uint64_t cycles)
{
	return (double)cycles / (double)BURSTS / BURST;
}

static void compare_mode(
	const struct bench *b, const char *name, void (*bare)(const struct bench *), struct task *t
)
{
	printf(",\n \"%s\": [", name);
	for (unsigned i = 0; i < REPEATS; i++) {
		uint64_t start = rte_rdtsc(), middle, end;
		bool first = i % 2 == 0; // who begins changes, so that a drift favours neither

		if (first)
			drover(t);
		else
			bare(b);
		middle = rte_rdtsc();
		if (first)
			bare(b);
		else
			drover(t);
		end = rte_rdtsc();
		printf("%s[%.3f, %.3f]",
		       i > 0 ? ", " : "",
		       per_packet(first ? middle - start : end - middle),
		       per_packet(first ? end - middle : middle - start));
	}
	printf("]");
}

int main(int argc, char **argv)
{
	char *eal[] = {
		argv[0],
		(char *)"--no-pci",
		(char *)"--in-memory",
		(char *)"--no-telemetry",
		(char *)"--log-level=lib.eal:error",
		(char *)"-l",
		(char *)(argc > 1 ? argv[1] : "1"),
		NULL};
	struct bench b;
	struct task *none, *l2fwd;
	struct err err;

	if (rte_eal_init((int)ARRAY_LEN(eal) - 1, eal) < 0 || make(&b) < 0) {
		fprintf(stderr,
			"drover_cycles: EAL or the ring port does not start (hugepages?)\n");
		return 1;
	}
	none = make_task(&b, "none", &err);
	l2fwd = make_task(&b, "l2fwd", &err);
	if (none == NULL || l2fwd == NULL) {
		fprintf(stderr, "drover_cycles: a task is not made: out of memory\n");
		return 1;
	}
	printf("{\"tsc_mhz\": %.0f, \"burst\": %d, \"packets\": %d",
	       (double)rte_get_tsc_hz() / 1e6,
	       BURST,
	       PACKETS);
	compare_mode(&b, "none", bare_none, none);
	compare_mode(&b, "l2fwd", bare_l2fwd, l2fwd);
	printf("}\n");
	rte_eal_cleanup();
	return 0;
}

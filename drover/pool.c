// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Packet buffers.

#include "drover.h"

#include "base/scope.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Of a core that reads no port: for the few packets that its tasks make themselves.
#define POOL_SMALL 2047
#define POOL_UNREAD 4095

static int make(
	const struct conf *c,
	const char *name,
	unsigned n,
	unsigned cache,
	int socket,
	struct rte_mempool **ret,
	struct err *err
)
{
	*ret = rte_pktmbuf_pool_create(
		name,
		n,
		n > 4 * cache ? cache : 0,
		0,
		(uint16_t)(c->mbuf_size + RTE_PKTMBUF_HEADROOM),
		socket
	);
	if (*ret == NULL)
		return err_set(
			err,
			rte_errno,
			"make a pool of %u packets for a core: %s; grant more hugepages, or make "
			"it smaller with "
			"mempool size= in [defaults]",
			n,
			rte_strerror(rte_errno)
		);
	return 0;
}

// Takes all buffers out and puts them back in another order, so that those which are used one after
// the other are not neighbours in memory.
static int shuffle(struct rte_mempool *pool, struct err *err)
{
	unsigned n = rte_mempool_avail_count(pool);
	_cleanup_free_ struct rte_mbuf **m = malloc(n * sizeof(struct rte_mbuf *));

	if (m == NULL)
		return err_oom(err);
	if (rte_pktmbuf_alloc_bulk(pool, m, n) != 0)
		return err_set(err, ENOBUFS, "shuffle=: a pool of %u packets cannot be emptied", n);
	for (unsigned i = n; i-- > 1;) {
		unsigned k = (unsigned)rte_rand_max(i + 1);
		struct rte_mbuf *swap = m[i];

		m[i] = m[k];
		m[k] = swap;
	}
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_free(m[i]);
	return 0;
}

// What the tasks of a core ask for.
static void wants(const struct conf *c, const struct conf_core *core, unsigned *n, unsigned *cache)
{
	bool reads = false;

	*n = 0;
	*cache = c->memcache_size;
	for (unsigned i = 0; i < core->ntasks; i++) {
		const struct conf_task *t = &core->tasks[i];
		unsigned size = t->mempool_size != 0 ? t->mempool_size : c->mempool_size;

		reads = reads || t->rx_ports.n > 0;
		if (t->mempool_size != 0 || t->rx_ports.n > 0)
			*n = RTE_MAX(*n, size);
		if (t->memcache_size != 0)
			*cache = t->memcache_size;
	}
	if (*n == 0)
		*n = reads ? c->mempool_size : RTE_MIN(c->mempool_size, (unsigned)POOL_SMALL);
}

int plane_pool(
	struct plane *p, const struct plane_lcore *l, struct rte_mempool **ret, struct err *err
)
{
	const struct conf *c = p->conf;
	int socket = (int)rte_lcore_to_socket_id(l->lcore);
	unsigned n, cache, more;
	char name[32];

	wants(c, l->conf, &n, &cache);
	if (c->pool_per_socket) {
		snprintf(name, sizeof(name), "socket%d", socket);
		*ret = rte_mempool_lookup(name);
		if (*ret != NULL)
			return 0;
		// as many as all cores of the file together; those of another socket have their own
		n = 0;
		for (unsigned i = 0; i < c->ncores; i++) {
			if (c->cores[i].ntasks == 0)
				continue;
			wants(c, &c->cores[i], &more, &cache);
			n += more;
		}
	} else {
		snprintf(name, sizeof(name), "lcore%u", l->lcore);
	}
	if (make(c, name, n, cache, socket, ret, err) < 0)
		return -err->code;
	return c->shuffle ? shuffle(*ret, err) : 0;
}

int plane_pool_unread(
	const struct plane *p,
	const struct conf_port *port,
	struct rte_mempool **ret,
	struct err *err
)
{
	unsigned n = RTE_MAX(port->rx_desc, (unsigned)POOL_UNREAD);
	char name[32];

	snprintf(name, sizeof(name), "unread%u", (unsigned)(port - p->conf->ports));
	return make(p->conf, name, n, 0, SOCKET_ID_ANY, ret, err);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Packet buffers.

#include "plane.h"

#include "base/scope.h"
#include "dpdk.h"

#include <rte_lcore.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_random.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Of a core that reads no port: for the few packets that its tasks make themselves.
#define POOL_SMALL 2047
#define POOL_UNREAD 4095
// In the fill ring from the start on, and sent but not given back yet
#define XDP_HELD 4096

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
			dpdk_why(rte_errno)
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

static const struct plane_port *port_of(const struct plane *p, const char *name)
{
	int number = conf_port_number(p->conf, name);
	int at = number >= 0 ? p->port_of_conf[number] : -1;

	return at >= 0 ? &p->ports[at] : NULL;
}

// Whether its ports bring their packets in buffers of the core's pool.
static bool reads_into_pool(const struct plane *p, const struct conf_task *t)
{
	for (unsigned i = 0; i < t->rx_ports.n; i++) {
		const struct plane_port *port = port_of(p, t->rx_ports.name[i]);

		if (port != NULL && !port->device.frames)
			return true;
	}
	return false;
}

// What the tasks of a core ask for.
static void wants(const struct plane *p, const struct conf_core *core, unsigned *n, unsigned *cache)
{
	const struct conf *c = p->conf;
	bool reads = false;

	*n = 0;
	*cache = c->memcache_size;
	for (unsigned i = 0; i < core->ntasks; i++) {
		const struct conf_task *t = &core->tasks[i];
		unsigned size = t->mempool_size != 0 ? t->mempool_size : c->mempool_size;

		reads = reads || reads_into_pool(p, t);
		if (t->mempool_size != 0 || t->rx_ports.n > 0)
			*n = RTE_MAX(*n, size);
		if (t->memcache_size != 0)
			*cache = t->memcache_size;
	}
	if (*n == 0 || !reads)
		*n = RTE_MIN(*n != 0 ? *n : c->mempool_size, (unsigned)POOL_SMALL);
}

int plane_pool(
	struct plane *p, const struct plane_lcore *l, struct rte_mempool **ret, struct err *err
)
{
	const struct conf *c = p->conf;
	int socket = (int)rte_lcore_to_socket_id(l->lcore);
	unsigned n, cache, more;
	char name[32];

	wants(p, l->conf, &n, &cache);
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
			wants(p, &c->cores[i], &more, &cache);
			n += more;
		}
	} else {
		snprintf(name, sizeof(name), "lcore%u", l->lcore);
	}
	if (make(c, name, n, cache, socket, ret, err) < 0)
		return -err->code;
	return c->shuffle ? shuffle(*ret, err) : 0;
}

// A buffer of AF_XDP is a chunk of its memory ("umem"), which DPDK's driver takes to be one piece with the
// buffers side by side. Those of an ordinary pool leave out what would go over the end of a page: the chunks
// behind the first gap are not where the driver says, and the kernel refuses those past the end. Chunks as
// large as a page, the largest that the kernel takes, leave no gaps whatever the size of a page is.
static int make_frames(
	const char *name, unsigned n, unsigned cache, struct rte_mempool **ret, struct err *err
)
{
	const unsigned page = (unsigned)getpagesize();
	struct rte_pktmbuf_pool_private room = {0};
	struct rte_mempool_objsz size;
	const struct rte_memzone *mz;
	struct rte_mempool *mp;
	unsigned elt;
	int r;

	rte_mempool_calc_obj_size(RTE_MEMPOOL_ALIGN, RTE_MEMPOOL_F_NO_SPREAD, &size);
	elt = page - size.header_size - size.trailer_size;
	room.mbuf_data_room_size = (uint16_t)(elt - sizeof(struct rte_mbuf));
	mp = rte_mempool_create_empty(
		name,
		n,
		elt,
		n > 4 * cache ? cache : 0,
		sizeof(room),
		SOCKET_ID_ANY,
		RTE_MEMPOOL_F_NO_SPREAD
	);
	mz = mp != NULL
		     ? rte_memzone_reserve_aligned(name, (size_t)n * page, SOCKET_ID_ANY, 0, page)
		     : NULL;
	if (mz == NULL)
		return err_set(
			err,
			rte_errno,
			"make a pool of %u packets of %u bytes, as AF_XDP wants them: %s; grant "
			"more "
			"hugepages, or make it smaller with mempool size=",
			n,
			page,
			dpdk_why(rte_errno)
		);
	r = rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL);
	if (r == 0) {
		rte_pktmbuf_pool_init(mp, &room);
		r = rte_mempool_populate_virt(mp, mz->addr, mz->len, page, NULL, NULL);
	}
	if (r < 0 || mp->populated_size != n)
		return err_set(
			err,
			r < 0 ? -r : EINVAL,
			"fill a pool of %u packets of %u bytes for AF_XDP: %u fit",
			n,
			page,
			mp->populated_size
		);
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	*ret = mp;
	return 0;
}

// The first of the tasks that read a port; NULL: none does.
static const struct task *reader_of(const struct plane *p, unsigned at)
{
	for (unsigned i = 0; i < p->ntasks; i++) {
		for (unsigned k = 0; k < p->tasks[i]->conf->rx_ports.n; k++) {
			if (p->tasks[i]->rx[k].port == at)
				return p->tasks[i];
		}
	}
	return NULL;
}

// AF_XDP ports that a core reads have one pool: from one to the other nothing is copied. Each queue holds
// XDP_HELD of it in its rings.
static int frames_of(
	const struct plane *p, const struct task *t, struct rte_mempool **ret, struct err *err
)
{
	unsigned n = 0, cache = 0, size = 0, queues = 0;
	char name[32];

	snprintf(name, sizeof(name), "frames%u", t->lcore);
	*ret = rte_mempool_lookup(name);
	if (*ret != NULL)
		return 0;
	for (unsigned i = 0; i < p->ntasks; i++) {
		const struct conf_task *ct = p->tasks[i]->conf;

		if (p->tasks[i]->lcore != t->lcore || ct->rx_ports.n == 0)
			continue;
		size = ct->mempool_size != 0 ? ct->mempool_size : p->conf->mempool_size;
		cache = ct->memcache_size != 0 ? ct->memcache_size : p->conf->memcache_size;
		n = RTE_MAX(n, size);
	}
	for (unsigned i = 0; i < p->nports; i++) {
		const struct task *first = p->ports[i].device.frames ? reader_of(p, i) : NULL;

		if (first != NULL && first->lcore == t->lcore)
			queues += p->ports[i].nrxq;
	}
	return make_frames(name, n + queues * XDP_HELD, cache, ret, err);
}

int plane_pool_port(const struct plane *p, unsigned at, struct rte_mempool **ret, struct err *err)
{
	const struct plane_port *port = &p->ports[at];
	const struct task *t = reader_of(p, at);
	unsigned n = RTE_MAX(port->conf->rx_desc, (unsigned)POOL_UNREAD);
	char name[32];

	if (t != NULL && port->device.frames)
		return frames_of(p, t, ret, err);
	if (t != NULL) {
		*ret = t->pool;
		return 0;
	}
	snprintf(name, sizeof(name), "unread%u", (unsigned)(port->conf - p->conf->ports));
	if (port->device.frames)
		return make_frames(name, n + XDP_HELD, 0, ret, err);
	return make(p->conf, name, n, 0, SOCKET_ID_ANY, ret, err);
}

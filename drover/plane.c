// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Puts ports, lcores and tasks together, after EAL has started.

#include "plane.h"

#include "dpdk.h"
#include "reconnect.h"

#include "base/scope.h"
#include "base/str.h"
#include "table/tables.h"

#include <net/if.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <string.h>

#define STOP_MILLISECONDS 5000

static void find_ports(struct plane *p, const struct conf *c, const struct eal_plan *e)
{
	for (unsigned i = 0; i < CONF_PORTS; i++) {
		p->port_of_conf[i] = -1;
		if (!c->ports[i].used || e->devices[i].name[0] == '\0')
			continue;
		p->port_of_conf[i] = (int)p->nports;
		p->ports[p->nports++] = (struct plane_port){
			.conf = &c->ports[i],
			.device = e->devices[i],
			.id = RTE_MAX_ETHPORTS,
			.hello = -1,
		};
	}
}

static struct plane_port *port_by_name(struct plane *p, const char *name)
{
	int number = conf_port_number(p->conf, name);
	int at = number >= 0 ? p->port_of_conf[number] : -1;

	return at >= 0 ? &p->ports[at] : NULL;
}

// Configurations call several cores alike; telemetry and the report need to tell them apart.
static void unique_name(const struct plane *p, struct task *t)
{
	char base[sizeof(t->name)];
	unsigned twins = 0;

	strcpy(base, t->name);
	for (unsigned i = 0; i < p->ntasks; i++) {
		if (!str_eq(p->tasks[i]->name, t->name))
			continue;
		snprintf(t->name, sizeof(t->name), "%.36s-%u", base, ++twins + 1);
		i = (unsigned)-1; // the new name may be taken as well
	}
}

// A queue of the port to send to. Tasks of one lcore take turns, so they can share it: most virtual
// devices have one only.
static uint16_t tx_queue(const struct plane_lcore *l, struct plane_port *port, uint16_t number)
{
	for (unsigned i = 0; i < l->ntasks; i++) {
		const struct task *t = l->tasks[i];

		for (unsigned k = 0; k < t->nout; k++) {
			if (t->out[k].ring == NULL && t->out[k].port == number)
				return t->out[k].queue;
		}
	}
	return port->ntxq++;
}

// A task with its queues; the ports are not started yet, so their ids are filled in later.
static int make_task(
	struct plane *p,
	struct plane_lcore *l,
	const struct conf_task *ct,
	struct rte_mempool *pool,
	struct err *err
)
{
	int socket = (int)rte_lcore_to_socket_id(l->lcore);
	struct task *t = rte_zmalloc_socket("task", sizeof(*t), RTE_CACHE_LINE_SIZE, socket);

	if (t == NULL)
		return err_oom(err);
	if (p->ntasks == PLANE_TASKS) {
		rte_free(t);
		return err_set(err, E2BIG, "more than %d tasks", PLANE_TASKS);
	}
	t->mode = ct->mode;
	t->conf = ct;
	t->pool = pool;
	t->lcore = l->lcore;
	t->id = ct->id;
	t->socket = socket;
	t->index = p->ntasks;
	t->keep = !ct->drop;
	t->squeezed = l->squeezed;
	t->out[0].port = RTE_MAX_ETHPORTS;
	if (l->conf->ntasks > 1)
		snprintf(t->name, sizeof(t->name), "%.40s.%u", l->conf->name, ct->id);
	else
		snprintf(t->name, sizeof(t->name), "%.47s", l->conf->name);
	unique_name(p, t);
	p->tasks[p->ntasks++] = t;
	l->tasks[l->ntasks++] = t;
	for (unsigned i = 0; i < ct->rx_ports.n; i++) {
		// it has a device: conf_read has seen to it
		struct plane_port *port = port_by_name(p, ct->rx_ports.name[i]);

		if (port != NULL)
			t->rx[t->nrx++] = (struct task_in){
				.port = (uint16_t)(port - p->ports),
				.queue = port->nrxq++,
			};
	}
	for (unsigned i = 0; i < ct->tx_ports.n; i++) {
		struct plane_port *port = port_by_name(p, ct->tx_ports.name[i]);

		if (port != NULL)
			t->out[t->nout++] = (struct task_out){
				.port = (uint16_t)(port - p->ports),
				.queue = tx_queue(l, port, (uint16_t)(port - p->ports)),
			};
	}
	t->set[PROTO_IPV4] = (struct task_set){0, t->nout};
	return 0;
}

// From index to ethdev number.
static void number_ports(struct plane *p, struct task *t)
{
	const struct conf_task *ct = t->conf;

	for (unsigned i = 0; i < RTE_MAX_ETHPORTS; i++)
		t->out_of_port[i] = TASK_OUTPUTS;
	for (unsigned i = 0; i < ct->rx_ports.n; i++)
		t->rx[i].port = p->ports[t->rx[i].port].id;
	for (unsigned i = ct->tx_ports.n; i-- > 0;) {
		struct plane_port *port = &p->ports[t->out[i].port];

		t->out[i].port = port->id;
		if (port->gate.shared)
			t->out[i].queue = 0;
		if (port->gate.shared || port->gate.max_segs > 0)
			t->out[i].gate = &port->gate;
		t->out_of_port[t->out[i].port] = (uint16_t)i;
	}
	for (unsigned i = 0; ct->remapped && i < CONF_PORTS; i++) {
		if (ct->remap[i] != CONF_NO_OUTPUT && p->port_of_conf[i] >= 0)
			t->out_of_port[p->ports[p->port_of_conf[i]].id] = ct->remap[i];
	}
}

// A NIC drops what nobody reads; the other end of a link would wait. Whoever sends there first empties it.
static void empty_unread(struct plane *p, const struct plane_port *port)
{
	for (unsigned i = 0; i < p->nlcores; i++) {
		struct plane_lcore *l = &p->lcores[i];

		for (unsigned k = 0; k < l->ntasks; k++) {
			if (l->tasks[k]->out_of_port[port->id] == TASK_OUTPUTS
			    || l->tasks[k]->conf->tx_ports.n == 0)
				continue;
			l->unread[l->nunread++] = port->id;
			return;
		}
	}
}

static int start_ports(struct plane *p, struct err *err)
{
	for (unsigned i = 0; i < p->nports; i++) {
		struct plane_port *port = &p->ports[i];
		uint16_t nrxq = port->nrxq > 0 ? port->nrxq : 1,
			 ntxq = port->ntxq > 0 ? port->ntxq : 1;
		char cure[XDP_CURE];

		if (plane_pool_port(p, i, &port->pool, err) < 0
		    || port_start(
			       port->conf,
			       &port->device,
			       nrxq,
			       &ntxq,
			       port->pool,
			       &port->id,
			       &port->xdp,
			       &port->packet,
			       err
		       ) < 0)
			return err_wrap(err, "%s:%u", p->conf->file, port->conf->line);
		port->ifindex = if_nametoindex(port->device.interface);
		if (port->device.frames && xdp_loses_tags(port->device.interface, cure))
			fprintf(stderr,
				"drover: warning: port '%s': tags of VLANs that are not in the "
				"frames "
				"themselves do not come with them; `%s` puts them there\n",
				port->conf->name,
				cure);
		port->gate.shared = ntxq < port->ntxq;
		if (port->device.frames) { // its driver reads behind both
			port->gate.max_segs = 1;
			port->gate.max_len =
				rte_pktmbuf_data_room_size(port->pool) - RTE_PKTMBUF_HEADROOM;
		}
		// in more than one slot, DPDK 22.11 marks them as the beginning of a longer packet for ever
		if (port->device.memif) {
			port->gate.max_segs = 1;
			port->gate.max_len = port->device.slot;
		}
		port->gate.squeezed = p->lcores[0].squeezed;
		rte_spinlock_init(&port->gate.lock);
	}
	for (unsigned i = 0; i < p->ntasks; i++)
		number_ports(p, p->tasks[i]);
	for (unsigned i = 0; i < p->nports; i++) {
		if (p->ports[i].device.link && p->ports[i].nrxq == 0)
			empty_unread(p, &p->ports[i]);
	}
	return 0;
}

static int init_tasks(struct plane *p, struct err *err)
{
	for (unsigned i = 0; i < p->ntasks; i++) {
		struct task *t = p->tasks[i];

		if (task_begin(t, t->conf->conf, err) < 0)
			return err_wrap(
				err, "%s:%u: task '%s'", p->conf->file, t->conf->line, t->name
			);
	}
	return 0;
}

int plane_build(const struct conf *c, const struct eal_plan *e, struct plane *p, struct err *err)
{
	_cleanup_free_ char *folder = conf_folder(c);

	memset(p, 0, sizeof(*p));
	p->conf = c;
	if (folder == NULL)
		return err_oom(err);
	if (tables_begin(&c->specs, folder, err) < 0)
		return -err->code;
	find_ports(p, c, e);
	for (unsigned i = 0; i < c->ncores; i++) {
		struct plane_lcore *l = &p->lcores[p->nlcores];
		struct rte_mempool *pool;

		if (c->cores[i].ntasks == 0)
			continue;
		*l = (struct plane_lcore){
			.lcore = p->nlcores + 1, // as eal.c numbers them
			.cpu = e->place.cpu[p->nlcores],
			.conf = &c->cores[i],
			.plane = p,
			.squeezed = e->place.squeezed,
		};
		p->nlcores++;
		if (plane_pool(p, l, &pool, err) < 0)
			return -err->code;
		for (unsigned k = 0; k < c->cores[i].ntasks; k++) {
			if (make_task(p, l, &c->cores[i].tasks[k], pool, err) < 0)
				return -err->code;
		}
	}
	if (p->ntasks == 0)
		return err_set(err, EINVAL, "%s: no core has a task", c->file);
	if (plane_rings(p, err) < 0 || start_ports(p, err) < 0)
		return -err->code;
	return init_tasks(p, err);
}

int plane_launch(struct plane *p, struct err *err)
{
	for (unsigned i = 0; i < p->nlcores; i++) {
		int r = rte_eal_remote_launch(lcore_main, &p->lcores[i], p->lcores[i].lcore);

		if (r < 0)
			return err_set(
				err,
				-r,
				"start core '%s': %s",
				p->lcores[i].conf->name,
				dpdk_why(-r)
			);
	}
	return 0;
}

void plane_stop(struct plane *p)
{
	__atomic_store_n(&p->quit, true, __ATOMIC_RELAXED);
	// a task that offers a burst again and again to a full output looks at this flag
	for (unsigned i = 0; i < p->ntasks; i++)
		__atomic_store_n(&p->tasks[i]->control.stopped, true, __ATOMIC_RELAXED);
	for (unsigned i = 0, ms = 0; i < p->nlcores && p->stuck == NULL;) {
		if (rte_eal_get_lcore_state(p->lcores[i].lcore) == WAIT)
			i++;
		else if (ms++ < STOP_MILLISECONDS)
			rte_delay_us_sleep(1000);
		else
			p->stuck = p->lcores[i].conf->name;
	}
}

void plane_done(struct plane *p)
{
	links_watch(NULL);
	for (unsigned i = 0; i < p->ntasks; i++)
		task_end(p->tasks[i]);
	for (unsigned i = 0; i < p->nports; i++) {
		struct plane_port *port = &p->ports[i];

		// where the start failed before it had one, too: EAL's clean-up would close it on this thread
		if (port->id != RTE_MAX_ETHPORTS
		    || rte_eth_dev_get_port_by_name(port->device.name, &port->id) == 0)
			port_stop(&port->device, port->id);
	}
	plane_rings_done(p);
	for (unsigned i = 0; i < p->ntasks; i++)
		rte_free(p->tasks[i]);
	tables_end();
	memset(p, 0, sizeof(*p));
}

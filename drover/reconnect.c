// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Links whose other end goes and comes back.
//
// The client of a memif connects when its port is started, and never again: not when its server was away
// for a while, and not when that listens already but has not started its own port yet, and sends the client
// away ("ID not found"). So the port is started anew while its link is down, as soon as somebody answers.
// virtio-user connects when its device is made: that is made anew.

#include "reconnect.h"

#include "drover.h"
#include "rcu.h"

#include "base/scope.h"
#include "port/counters.h"
#include "port/vhost.h"
#include "report/report.h"
#include "unix.h"

#include <errno.h>
#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELLO_MILLISECONDS 100
#define RETRY_MILLISECONDS 500 // to shake hands takes a few

// A memif greets who connects, and takes it badly when that one is gone before it could.
static bool server_answers(const char *path)
{
	_cleanup_close_ int fd = unix_connect(path, SOCK_SEQPACKET, HELLO_MILLISECONDS);
	char hello[256];

	return fd >= 0 && recv(fd, hello, sizeof(hello), 0) > 0;
}

static bool touches(const struct task *t, uint16_t port)
{
	for (unsigned i = 0; i < t->nrx; i++) {
		if (t->rx[i].ring == NULL && t->rx[i].port == port)
			return true;
	}
	for (unsigned i = 0; i < t->nout; i++) {
		if (t->out[i].ring == NULL && t->out[i].port == port)
			return true;
	}
	return false;
}

static bool is_held(const struct plane *p, const struct task *t)
{
	for (unsigned i = 0; i < p->nports; i++) {
		if (p->ports[i].held && touches(t, p->ports[i].id))
			return true;
	}
	return false;
}

static void hold(struct plane *p, struct plane_port *port, bool held)
{
	bool any = false;

	port->held = held;
	for (unsigned i = 0; i < p->nports; i++)
		any = any || p->ports[i].held;
	for (unsigned i = 0; i < p->ntasks; i++)
		__atomic_store_n(
			&p->tasks[i]->control.held, is_held(p, p->tasks[i]), __ATOMIC_RELAXED
		);
	for (unsigned i = 0; i < p->nlcores; i++)
		__atomic_store_n(&p->lcores[i].held, any, __ATOMIC_RELAXED);
}

static int start_again(struct plane_port *port, struct err *err)
{
	if (!port->device.virtio) {
		port_restart(&port->device, port->id);
		if (port->conf->promiscuous)
			rte_eth_promiscuous_enable(port->id);
		return 0;
	}
	port_counters_keep(port);
	return port_replace(
		port->conf,
		&port->device,
		port->nrxq > 0 ? port->nrxq : 1,
		1,
		port->pool,
		port->id,
		err
	);
}

// No lcore may be in a port that is stopped and started, and nobody read its figures. One that could not be made is
// held until it can.
static void restart(struct plane *p, struct plane_port *port)
{
	struct err err;
	int r = 0;

	hold(p, port, true);
	if (rcu_wait(RCU_TABLES, &err) == 0) {
		report_lock();
		r = start_again(port, &err);
		report_unlock();
		if (r < 0)
			fprintf(stderr, "drover: warning: %s\n", err.msg);
	}
	if (r < 0)
		return;
	__atomic_store_n(&port->down, false, __ATOMIC_RELAXED);
	hold(p, port, false);
}

static bool is_down(uint16_t port)
{
	struct rte_eth_link link = {0};

	return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status != RTE_ETH_LINK_UP;
}

static void look_memif(struct plane *p, struct plane_port *port)
{
	if (rte_rdtsc() < port->retry || !is_down(port->id) || !server_answers(port->device.makes))
		return;
	restart(p, port);
	port->retry = rte_rdtsc() + rte_get_tsc_hz() / 1000 * RETRY_MILLISECONDS;
}

static void settled(void *port)
{
	__atomic_store_n(&((struct plane_port *)port)->settled, true, __ATOMIC_RELEASE);
}

// Whether it waits for its vhost. The driver that finds the link down goes on in an alarm, which must have passed
// before its device goes: they pass in turn.
static bool waits(struct plane_port *port)
{
	if (!port->down && is_down(port->id)) {
		__atomic_store_n(&port->down, true, __ATOMIC_RELAXED);
		port->settled = rte_eal_alarm_set(1, settled, port) < 0;
	}
	return port->down && __atomic_load_n(&port->settled, __ATOMIC_ACQUIRE);
}

// A vhost that listens need not answer: it is asked, and what it says is taken when it is there.
static void look_virtio(struct plane *p, struct plane_port *port)
{
	char answer[256];
	ssize_t n;

	if (!waits(port))
		return;
	if (port->hello < 0) {
		port->hello = vhost_ask(port->device.reads);
		return;
	}
	n = recv(port->hello, answer, sizeof(answer), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	close(port->hello);
	port->hello = -1;
	if (n > 0)
		restart(p, port);
}

bool links_any(const struct plane *p)
{
	for (unsigned i = 0; i < p->nports; i++) {
		if (p->ports[i].device.client || p->ports[i].device.virtio)
			return true;
	}
	return false;
}

void links_look(struct plane *p)
{
	for (unsigned i = 0; i < p->nports; i++) {
		if (p->ports[i].device.client)
			look_memif(p, &p->ports[i]);
		else if (p->ports[i].device.virtio)
			look_virtio(p, &p->ports[i]);
	}
}

// ---- what a link counted: the driver of memif forgets it when the other end leaves, and goes on from there
// when it comes back

static struct plane *watched;

void links_watch(struct plane *p)
{
	__atomic_store_n(&watched, p, __ATOMIC_RELEASE);
}

static void keep_greater(uint64_t *a, uint64_t b)
{
	if (b > __atomic_load_n(a, __ATOMIC_RELAXED))
		__atomic_store_n(a, b, __ATOMIC_RELAXED);
}

void links_remember(void)
{
	struct plane *p = __atomic_load_n(&watched, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; p != NULL && i < p->nports; i++) {
		struct plane_port *port = &p->ports[i];
		struct rte_eth_stats s;

		// what a virtio has counted it keeps until it is replaced
		if (!port->device.link || port->device.virtio
		    || rte_eth_stats_get(port->id, &s) != 0)
			continue;
		keep_greater(&port->seen.ipackets, s.ipackets);
		keep_greater(&port->seen.opackets, s.opackets);
		keep_greater(&port->seen.ibytes, s.ibytes);
		keep_greater(&port->seen.obytes, s.obytes);
	}
}

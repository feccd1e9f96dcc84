// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Links whose other end goes and comes back.
//
// The client of a memif connects when its port is started, and never again: not when its server was away
// for a while, and not when that listens already but has not started its own port yet, and sends the client
// away ("ID not found"). So the port is started anew while its link is down, as soon as somebody answers.

#include "links.h"

#include "drover.h"
#include "rcu.h"

#include "base/scope.h"

#include <poll.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HELLO_MILLISECONDS 100
#define RETRY_MILLISECONDS 500 // to shake hands takes a few

// A server greets who connects. It takes it badly when that one is gone before it could.
static bool server_answers(const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char hello[256];

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		return false;
	strcpy(addr.sun_path, path);
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0
	       && poll(&p, 1, HELLO_MILLISECONDS) == 1 && recv(fd, hello, sizeof(hello), 0) > 0;
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

static void hold(struct plane *p, uint16_t port, bool held)
{
	for (unsigned i = 0; i < p->ntasks; i++) {
		if (touches(p->tasks[i], port))
			__atomic_store_n(&p->tasks[i]->control.held, held, __ATOMIC_RELAXED);
	}
	for (unsigned i = 0; i < p->nlcores; i++)
		__atomic_store_n(&p->lcores[i].held, held, __ATOMIC_RELAXED);
}

// No lcore may be in a port that is stopped and started.
static void restart(struct plane *p, struct plane_port *port)
{
	struct err err;

	hold(p, port->id, true);
	if (rcu_wait(RCU_TABLES, &err) == 0) {
		rte_eth_dev_stop(port->id);
		rte_eth_dev_start(port->id);
		if (port->conf->promiscuous)
			rte_eth_promiscuous_enable(port->id);
	}
	hold(p, port->id, false);
}

static bool is_down(uint16_t port)
{
	struct rte_eth_link link = {0};

	return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status != RTE_ETH_LINK_UP;
}

void links_look(struct plane *p)
{
	const uint64_t now = rte_rdtsc();

	for (unsigned i = 0; i < p->nports; i++) {
		struct plane_port *port = &p->ports[i];

		if (!port->device.client || now < port->retry || !is_down(port->id)
		    || !server_answers(port->device.makes))
			continue;
		restart(p, port);
		port->retry = rte_rdtsc() + rte_get_tsc_hz() / 1000 * RETRY_MILLISECONDS;
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

		if (!port->device.link || rte_eth_stats_get(port->id, &s) != 0)
			continue;
		keep_greater(&port->seen.ipackets, s.ipackets);
		keep_greater(&port->seen.opackets, s.opackets);
		keep_greater(&port->seen.ibytes, s.ibytes);
		keep_greater(&port->seen.obytes, s.obytes);
	}
}

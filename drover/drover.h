// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The running data plane: ports, lcores and their tasks.
#pragma once

#include "base/err.h"
#include "base/idset.h"
#include "config/config.h"
#include "port/port.h"
#include "task/task.h"

#include <stdbool.h>
#include <stdint.h>

#define PLANE_TASKS 256
#define PLANE_RINGS 2048

struct plane_port {
	const struct conf_port *conf;
	struct port_device device;
	uint16_t id;	     // of ethdev
	uint16_t nrxq, ntxq; // queues handed out
	struct task_gate gate;
	struct xdp_sockets xdp;	    // none: it is of another kind
	struct packet_port *packet; // NULL: the same
	unsigned ifindex;	    // of its interface; 0: it has none
	struct rte_mempool *pool;   // of what it receives
	uint64_t retry;		    // reconnect.c: TSC before which it is not connected again
	int hello; // and the connection to a vhost that is asked whether it is there; -1: none
	bool down, settled; // and its vhost was found gone, and its driver has taken note of that
	bool held;	    // and no lcore may be in it
	struct rte_eth_stats seen; // and what it had counted when the other end left
	struct rte_eth_stats past; // and what the devices before this one had counted
};

struct plane_lcore {
	unsigned lcore; // of EAL
	unsigned cpu;
	const struct conf_core *conf;
	unsigned ntasks;
	struct task *tasks[CONF_TASKS];
	// ethdev numbers of links that it sends to and nobody reads: what comes there is thrown away
	unsigned nunread;
	uint16_t unread[CONF_PORTS];
	struct plane *plane;
	bool squeezed; // it shares its CPU with another polling lcore
	bool held;     // it leaves those alone for a moment
} __rte_cache_aligned;

// From an output of a task to an input of another. Several may share one ring.
struct plane_ring {
	struct rte_ring *ring;
	const struct task *from, *to;
	unsigned out; // of from
	enum task_proto proto;
	bool control;
	char name[80]; // "FROM > TO", and the protocol when it is told apart
};

struct plane {
	const struct conf *conf;
	unsigned nports;
	struct plane_port ports[CONF_PORTS];
	int port_of_conf[CONF_PORTS]; // index into ports by number in the file
	unsigned nlcores;
	struct plane_lcore lcores[CONF_CORES];
	unsigned ntasks;
	struct task *tasks[PLANE_TASKS];
	unsigned nrings;
	struct plane_ring rings[PLANE_RINGS];
	uint64_t started;  // TSC of the start of traffic
	bool quit;	   // lcores end when set
	bool go;	   // traffic runs
	const char *stuck; // a core that did not end when it was told to; NULL: none
};

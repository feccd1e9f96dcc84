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
	struct xdp_sockets xdp; // none: it is of another kind
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
	uint64_t started; // TSC of the start of traffic
	bool quit;	  // lcores end when set
	bool go;	  // traffic runs
};

// ---- eal.c: from configuration and grant to EAL's command line

struct placement {
	unsigned nlcores;
	unsigned cpu[CONF_CORES]; // of each worker core of the configuration, in its order
	unsigned main_cpu;	  // of the control thread
	bool squeezed;		  // some CPU has several polling lcores
};

struct eal_plan {
	struct placement place;
	unsigned argc;
	char *argv[128];
	bool granted; // a grant was found
	struct port_device devices[CONF_PORTS];
};

struct run_options {
	const char *file;
	struct conf_overrides overrides;
	bool squeeze;
	bool check;	    // everything but traffic
	bool json;	    // the report at the end
	uint64_t duration;  // ns; 0: as the configuration says
	const char *prefix; // --file-prefix; NULL: "drover-PID"
	bool no_huge;
	const char *dump_dir; // that mode=dump writes below; NULL: the configuration's folder
};

int eal_plan(
	const struct conf *c, const struct run_options *o, struct eal_plan *ret, struct err *err
);
void eal_plan_done(struct eal_plan *p);

// ---- plane.c
int plane_build(const struct conf *c, const struct eal_plan *e, struct plane *ret, struct err *err);
int plane_launch(struct plane *p, struct err *err); // lcores start, tasks wait for plane.go
void plane_stop(struct plane *p);
void plane_done(struct plane *p);

// rings.c: the rings between tasks, after all tasks are made and before ports are started.
int plane_rings(struct plane *p, struct err *err);
// Frees them and what is in them.
void plane_rings_done(struct plane *p);

// pool.c: packet buffers of a core, or of the cores of its socket. Before any packet.
int plane_pool(
	struct plane *p, const struct plane_lcore *l, struct rte_mempool **ret, struct err *err
);
// Of a port: those of the core that reads it, or some of its own, as AF_XDP wants them and as a device that
// nobody reads wants a few all the same.
int plane_pool_port(const struct plane *p, unsigned at, struct rte_mempool **ret, struct err *err);

// loop.c: what an lcore runs
int lcore_main(void *arg); // struct plane_lcore

// stats/telemetry.c: /drover/… commands on DPDK's telemetry socket
int telemetry_register(struct plane *p, struct err *err);

// stats/report.c: the figures of all tasks and ports as one JSON object (new reference), since the
// start or the last clear; and as text for people.
struct json_t;
struct json_t *report_json(struct plane *p);
void report_print(struct plane *p);
void report_clear(struct plane *p);

// stats/top.c
int top_main(int argc, char **argv);

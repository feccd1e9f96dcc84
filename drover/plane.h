// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How the data plane is made, run and ended; the rest of drover sees what it is (drover.h).
#pragma once

#include "eal.h"

int plane_build(const struct conf *c, const struct eal_plan *e, struct plane *ret, struct err *err);
int plane_launch(struct plane *p, struct err *err); // lcores start, tasks wait for plane.go
// Tells all cores to end and waits. A core that does not is said (p->stuck): what it uses stays.
void plane_stop(struct plane *p);
// Not when a core is stuck.
void plane_done(struct plane *p);

// rings.c: the rings between tasks, after all tasks are made and before ports are started.
int plane_rings(struct plane *p, struct err *err);
// Where lcores would wait for each other for ever, none does (circles.c).
void plane_break_circles(struct plane *p);
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

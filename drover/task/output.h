// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a task must know of its outputs.
#pragma once

#include "task/task.h"

#include <rte_ether.h>

struct output {
	struct rte_ether_addr mac; // source address of what goes there; zero: none is known
	uint16_t mtu;		   // greatest IP packet; UINT16_MAX: no limit
};

// Of a port its own. Behind a ring those of the ports that packets reach through tasks that pass them on
// (task_mode.passes): the smallest MTU, the first address. A task that decides by itself what it sends, or a
// meter, where packets end, sets no limit. When all tasks have their outputs and ports are started.
struct output output_of(const struct task *t, unsigned i);

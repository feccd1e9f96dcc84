// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The parts of the choice that grant_resolve makes, and of its check.
#pragma once

#include "grant/grant.h"

// Fills g->hugepages from the request: entries that name their node as they are, the others on the home
// node and then on the nearest ones that have some.
int choose_pages(
	const struct request *req,
	const struct host *host,
	const struct holdings *others,
	int home,
	struct grant *g,
	struct err *err
);

// shared_caches.c: adds that many of a set to the chosen ones, those that share caches with each other and with what
// is chosen already.
void choose_close(
	const struct host *host, const struct idset *from, unsigned count, struct idset *chosen
);
// Leaves the CPUs of one kind (of big and little cores, of performance and efficiency): the fastest that has
// enough, isolated ones first. Where none has, all stay.
void choose_kind(const struct host *host, unsigned count, struct idset *left);

// Whether this kernel has hugepages of a size.
int check_page_size(const struct host *host, uint64_t size, struct err *err);

// nics.c: puts NICs in place of what they have to be, and fills in the groups.
int choose_nics(
	struct terms *t, const struct host *host, const struct holdings *others, struct err *err
);
// Whether the NICs of g can be had.
bool nic_granted(const struct terms *t, const char *bdf);
int check_nics(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
);

// validate.c: whether a machine has as much ordinary memory.
int check_memory(const struct grant *g, const struct host *host, struct err *err);
// And whether its nodes have as much that no other was promised. Only where several grants are made at once:
// a limit is no reservation, and who makes a single one may promise more than there is.
int check_memory_beside(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
);

// partition.c: whether this machine can make the CPUs of g an isolated partition.
int check_partition(const struct grant *g, const struct host *host, struct err *err);

// netdevs.c
const struct grant *netdev_holder(const struct holdings *others, const char *name); // NULL: nobody
int check_netdevs(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
);

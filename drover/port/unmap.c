// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// munmap(2) of DPDK, once nobody can be using the memory.
//
// When the peer of a memif port leaves, EAL's interrupt thread marks the port as disconnected and unmaps
// the rings at once (memif_disconnect of DPDK 22.11). An lcore that has begun a burst before the mark,
// and did not run since (its CPU is shared, or was stolen), then goes on in memory that is gone: a
// SIGSEGV by the leaving of a neighbour. A burst that begins after the mark does not touch the rings, so
// it is enough to wait until each lcore has been between two bursts.
//
// At the end of the process nothing is unmapped, which the kernel does better: the interrupt thread has its list of
// descriptors in memory that EAL's clean-up takes away under it (rte_eal_cleanup).
//
// The name is that of libc, for the drivers: those find it in the program before they find libc's.
// What libc itself unmaps does not come here.

#include "ending.h"
#include "rcu.h"
#include "reconnect.h"

#include <rte_lcore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int munmap(void *addr, size_t len)
{
	struct err late;

	if (ending_has_begun())
		return 0;
	// neither an lcore, which would wait for itself, nor the control thread
	if (rte_lcore_id() == LCORE_ID_ANY) {
		// an lcore that did not run for so long may still be in there: better lost than gone
		if (rcu_wait(RCU_LINKS, &late) < 0)
			return 0;
		links_remember();
	}
	return (int)syscall(SYS_munmap, addr, len);
}

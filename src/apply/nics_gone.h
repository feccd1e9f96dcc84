// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs that go while a workload has them: taken out of the machine, or from their driver.
#pragma once

#include "ledger/ledger.h"

#include <sys/types.h>

struct nics_known {
	dev_t node[GRANT_NICS]; // the number of the node that it is opened by; 0: it has none
	uint64_t gone;		// a bit for each that was found gone
	uint64_t refused;	// and whose number its workload is kept from
};

// The lease's NICs as they are now.
void nics_know(const struct hostfs *fs, const struct lease *lease, struct nics_known *ret);

// Those that are gone, and were not the last time: a bit for each. The kernel gives the number of a node that is gone to
// the next one, of another NIC: the workload, in which the node stays, is kept from opening that.
uint64_t nics_look_gone(const struct hostfs *fs, const struct lease *lease, struct nics_known *k);

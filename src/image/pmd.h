// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The drivers of DPDK: EAL loads every library in a folder of its own when it starts.
#pragma once

#include "base/err.h"
#include "image/entries.h"

#include <jansson.h>

// If librte_eal is in the set, takes the drivers of its version: pmds is "all", "none", a list of
// names ("net_null,bus_pci"; a name without a class is one of net), or NULL for the usual ones. The
// set is then to be completed again. *ret: {"abi", "version", "pmds"} or null, a new reference.
int pmd_take(struct entries *s, const char *pmds, json_t **ret, struct err *err);

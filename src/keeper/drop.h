// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The steps on the way from root to the owner of a grant, in this order.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "host/host.h"

#include <stdint.h>

// An empty session keyring. First of all: descriptors keep that of who opened them.
int drop_keys(struct err *err);

// Limits of its own, and no priorities of who started it.
int drop_inherited(const struct grant *g, const struct host_limits *host, struct err *err);

// Makes a user namespace as the host id that owns it. Whoever is outside maps ids into it then.
int drop_root(uint32_t namespace_owner, struct err *err);

// All but these (1 << CAP_…) are gone, for this process and whatever it starts.
int drop_capabilities(uint64_t keep, struct err *err);

// Becomes id 0 of that namespace, with the capabilities that a keeper needs, in namespaces of its own.
int drop_to_owner(struct err *err);

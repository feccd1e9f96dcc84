// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The cgroup that a runtime made for a container, where an engine said.
#pragma once

#include "base/err.h"
#include "host/host.h"
#include "ledger/ledger.h"

// Before it is made: refuses a cgroup that others are in, by the engine's config.json. A runtime kills all of them when
// it takes a container back.
int place_check(
	const struct host *host, const struct hostfs *fs, const json_t *spec, struct err *err
);

// Notes in the lease where the container is, by its first process, and limits there what the runtime does not: the
// reservations of hugepages. spec: which sizes the engine limits to nothing. Refuses a cgroup that is not the
// container's alone.
int place_note(
	int pid,
	const struct host *host,
	const struct hostfs *fs,
	const json_t *spec,
	struct lease *lease,
	struct err *err
);

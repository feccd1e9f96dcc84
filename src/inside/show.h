// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The parts of `pinfold-inside show` that are about the process itself and its devices.
#pragma once

#include "inside/files.h"
#include "inside/out.h"

// Nodes in /dev that this process may open, beside the ones every container has. Permission is
// asked for, also of the device cgroup, but nothing is opened: opening alone starts a watchdog.
struct names device_nodes(void);
void show_devices(struct out *o);

void show_netdevs(struct out *o);
// The names in a set of capabilities: "CapEff" and so on, as in /proc/self/status.
struct names capabilities_in(const char *field);
void show_capabilities(struct out *o);

// no_new_privs, seccomp, ids, hostname, counts of mounts and processes, whether / can be written.
void show_self(struct out *o);

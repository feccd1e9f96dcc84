// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The runtime below: crun or runc, which does what pinfold-runtime is told.
#pragma once

#include "base/err.h"
#include "site/site.h"

// What says which it is, where it is not the first that is installed: {"runtime": "/usr/sbin/runc"}.
#define BELOW_FILE "/etc/pinfold/runtime.json"

// For a container whose cgroup is pinfold's: the same, but that systemd does not manage it.
int below_exec_cgroupfs(char *const *argv, struct err *err);

// What it is.
int below_site(struct site *site, struct err *err);

// Becomes it, with these arguments but the first. Returns only when that fails.
int below_exec(char *const *argv, struct err *err);

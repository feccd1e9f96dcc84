// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The runtime below: crun or runc, which does what pinfold-runtime is told.
#pragma once

#include "base/err.h"
#include "runtime/command.h"
#include "site/site.h"

// What says which it is, where it is not the first that is installed: {"runtime": "/usr/sbin/runc"}.
#define BELOW_FILE "/etc/pinfold/runtime.json"

struct below {
	char *path; // new string; NULL: it was not found
	const struct runtime_kind *kind;
	enum grammar grammar;
};

// Where it is not found it is taken for crun.
int below_find(struct below *ret, struct err *err);

// What it is.
int below_site(const struct below *b, struct site *site, struct err *err);

// Becomes it, with these words but the first. Returns only when that fails.
int below_exec(const struct below *b, char *const *argv, struct err *err);

// For a container whose cgroup is pinfold's: the same, but that systemd does not manage it.
int below_exec_cgroupfs(const struct below *b, char *const *argv, struct err *err);

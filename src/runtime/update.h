// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// An engine that changes the limits of a container with a grant: what the container was shown must stay true.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "runtime/command.h"

// Refuses what is not as the grant has it. What came on standard input is there again, without the limits of
// hugepages, which are those of the grant, and, where kubelet hands the grant out, of CPUs and nodes.
int update_check(const struct command *c, const struct grant *g, struct err *err);

// The same for one document of resources (resources of config.json's "linux"), of which it takes those out.
int update_check_resources(json_t *doc, const struct grant *g, struct err *err);

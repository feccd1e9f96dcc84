// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the commands that change NICs have in common.
#pragma once

#include "grant/grant.h"
#include "ledger/ledger.h"
#include "plan/plan.h"

struct nic_work {
	bool dry; // only look, also at a copy of a machine's files
	struct hostfs fs;
	struct ledger ledger; // locked, unless dry
	struct host host;
	struct holdings others;
};

// `dry` is set. To be closed also when it fails.
int nic_work_open(struct nic_work *w, struct err *err);
void nic_work_close(struct nic_work *w);
// Ends the plan.
int nic_work_show(struct plan *p, struct err *err);

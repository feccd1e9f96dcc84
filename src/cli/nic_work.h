// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the commands that change NICs have in common.
#pragma once

#include "grant/grant.h"
#include "ledger/ledger.h"
#include "plan/nic.h"
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

// nic_bind.c: what binds, or lets go of, several NICs by all or none.
struct nic_bind {
	struct nic_work;
	struct nic_wish wish;
	bool persist, force;
};

static inline struct nic_work *nic_bind_work(struct nic_bind *b)
{
	return (struct nic_work *)b;
}

// names: of NICs, up to NULL.
int nic_bind_them(struct nic_bind *b, char **names, struct err *err);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The commands of pinfold grant that are files of their own.
#pragma once

#include "base/err.h"
#include "grant/slots.h"
#include "ledger/ledger.h"

int cmd_grant_create(int argc, char **argv);
int cmd_grant_start(int argc, char **argv); // keeper.c
int cmd_grant_stop(int argc, char **argv);
int cmd_grant_remove(int argc, char **argv);

// grant_slots.c: shows what would be made of it, at most that many, beside others, to which it is added. 0; 1 where fewer
// fit than are wanted, or none; negative with err set.
int grant_slots_show(
	const struct request *req,
	const struct host *host,
	struct holdings *others,
	unsigned most,
	bool local,
	bool json,
	struct err *err
);

// Its hugepages as the flag has them, "2M=64@0 1G=1@1,anon".
json_t *grant_pages_text(const struct grant *g);

// Removes a definition that nothing uses; its keeper ends. The ledger is locked.
int grant_remove_one(struct ledger *l, const char *name, struct err *err);

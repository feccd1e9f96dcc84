// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The commands of pinfold grant that are files of their own.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"

int cmd_grant_create(int argc, char **argv);
int cmd_grant_start(int argc, char **argv); // keeper.c
int cmd_grant_stop(int argc, char **argv);
int cmd_grant_remove(int argc, char **argv);

// Removes a definition that nothing uses; its keeper ends. The ledger is locked.
int grant_remove_one(struct ledger *l, const char *name, struct err *err);

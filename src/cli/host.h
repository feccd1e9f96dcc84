// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The commands of pinfold host that are files of their own.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "host/host.h"

#include <jansson.h>
#include <stdbool.h>

int cmd_host_capture(int argc, char **argv);
int cmd_host_prepare(int argc, char **argv);
int cmd_host_undo(int argc, char **argv);
int cmd_host_free(int argc, char **argv);
int cmd_host_ticks(int argc, char **argv);

// host_capture.c: where --host-tree names a capture, unpacks it and puts its directory there, until the end.
int cli_unpack_tree(const char *path, struct err *err);
extern bool cli_captured; // it was

// host_free.c: what nobody holds, a row a node: {node, cpus, cpus_total, memory, hugepages: [{size, free, total}],
// nics: [BDF]}; and as a table.
json_t *host_free_rows(const struct host *h, const struct holdings *others);
void host_free_print(const json_t *rows);

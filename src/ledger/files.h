// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A directory of NAME.json files, as the ledger keeps two.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct names {
	char **list; // sorted, without ".json"
	size_t n;
};

void names_done(struct names *n);
#define _cleanup_names_ __attribute__((cleanup(names_done)))

// durable: it outlives a power cut. Leases need not: they end with the boot.
int files_write(int dir, const char *name, const json_t *doc, bool durable, struct err *err);
int files_read(
	int dir, const char *name, const char *what, json_t **ret, struct err *err
);							      // -ENOENT
int files_remove(int dir, const char *name, struct err *err); // missing is fine
bool files_exists(int dir, const char *name); // what cannot be looked at may be there; dir -1: none
int files_names(int dir, struct names *ret, struct err *err); // dir -1: none

// Removes temporary files of writers that were killed. Whoever writes holds the ledger's lock, and so
// must the caller.
void files_sweep(int dir);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs that pinfold has taken from their drivers: one file each below /run/pinfold/nics, written before the NIC is
// touched, and gone when its driver has it again.
#pragma once

#include "ledger/ledger.h"

#define NICS_DIR RUN_DIR "/nics"

struct binding {
	char bdf[16];
	char driver[64];	  // that it is bound to now
	char former[64];	  // that it had, or ""
	char former_override[64]; // driver_override as it was, or ""
	char lease
		[NAME_MAX_LEN
		 + 1]; // bound for this lease, to be given back at its end; "": until it is unbound
	bool kept;     // done; else it was being bound, or given back, and is to be given back
	char with[16]; // bound by one command with this one: done when that is; "": by itself
	char boot_id[HOST_BOOT_ID];
	bool probe; // what it had, or would have by now, is not known: the kernel chooses
};

#define BINDING_NOTES "notes" // in the same directory, and no binding (apply/nic_persist.h)

// The ledger is locked for all that writes.
int binding_write(const struct ledger *l, const struct binding *b, struct err *err);
int binding_read(
	const struct ledger *l, const char *bdf, struct binding *ret, struct err *err
); // -ENOENT
int binding_remove(const struct ledger *l, const char *bdf, struct err *err);
// Removes the directory when there are none, also after a writer that was killed.
void binding_sweep(const struct ledger *l);
// In order of address, until fn returns non-zero. One that cannot be read is the failure at the end.
typedef int (*binding_fn)(const struct binding *b, void *arg, struct err *err);
int binding_each(const struct ledger *l, binding_fn fn, void *arg, struct err *err);

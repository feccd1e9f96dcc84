// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs that are bound again after a reboot, as driverctl(8) keeps them: the name of the driver in
// /etc/driverctl.d/pci-ADDRESS. What driverctl knows nothing of is in a file of pinfold's own beside it.
#pragma once

#include "ledger/ledger.h"

#define NIC_PERSIST_DIR "/etc/driverctl.d"

// What was said of it beside its driver.
struct nic_persist {
	bool force, unsafe_noiommu;
};

int nic_persist(const char *bdf, const char *driver, struct nic_persist how, struct err *err);
// To a driver for programs: what driverctl has there of others is its own.
bool nic_persists(const char *bdf);
// Nothing where somebody else has written down its driver since.
int nic_persist_how(const char *bdf, struct nic_persist *ret, struct err *err);
int nic_forget(const char *bdf, struct err *err); // none is fine

// Of several NICs, all or none, also for who is killed: what is written down of them is kept first. first: the binding
// that says, once it is kept, that the command is done; "": that is done with nic_notes_done. EEXIST: those of a
// command before could not be put back. The ledger is locked.
int nic_notes_begin(const char *const *bdfs, unsigned n, const char *first, struct err *err);
int nic_notes_done(const struct ledger *l, struct err *err);
int nic_notes_undo(const struct ledger *l, struct err *err); // none, or done: fine

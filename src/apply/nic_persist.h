// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs that are bound again after a reboot, as driverctl(8) keeps them: the name of the driver in
// /etc/driverctl.d/pci-ADDRESS. What driverctl knows nothing of is in a file of pinfold's own beside it.
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define NIC_PERSIST_DIR "/etc/driverctl.d"

// What was said of it beside its driver.
struct nic_persist {
	bool force, unsafe_noiommu;
};

int nic_persist(const char *bdf, const char *driver, struct nic_persist how, struct err *err);
bool nic_persists(const char *bdf);
int nic_persist_how(const char *bdf, struct nic_persist *ret, struct err *err);
int nic_forget(const char *bdf, struct err *err); // none is fine

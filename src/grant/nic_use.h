// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Who would miss a NIC. Refusals are EBUSY; noun: "NIC" or "VF", as they call it.
#pragma once

#include "grant/grant.h"

// Whose it is; NULL: nobody's.
const struct holding *nic_holder(const struct holdings *others, const char *bdf);

// Of a function, which may have more interfaces than the one that it is listed with.
bool netdev_is_of(const struct host_netdev *n, const struct host_pci *p);

// A grant in use has it.
int nic_check_idle(
	const struct host_pci *p, const char *noun, const struct holdings *others, struct err *err
);
// A container has its interface.
int nic_check_lent(const struct host_pci *p, const char *noun, struct err *err);
// The host uses it, as a port or by its addresses and routes. cure: what is to be done then.
int nic_check_use(const struct host_pci *p, const char *noun, const char *cure, struct err *err);

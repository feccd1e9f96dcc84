// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A link of a grant, where a configuration is checked without one: a socket of its own at which nobody is.
#pragma once

#include "port/port.h"

// Whether the device is on a link of a grant that can be stood in for.
bool stand_in_can(const struct port_device *d);

// In its place, of the same port.
int stand_in(const char *device, unsigned number, struct port_device *d, struct err *err);

// Takes all of them away.
void stand_in_end(void);

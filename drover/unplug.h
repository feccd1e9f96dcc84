// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs that are taken out of the machine while they are used. The kernel waits for whoever has one open by VFIO, and
// asks for it: as long as that is not heard, who takes it out hangs. Of a NIC on UIO nobody is asked.
#pragma once

#include "drover.h"

// From here on it is heard. The plane stays.
int unplug_watch(const struct plane *p, struct err *err);

// Whether one was asked for.
bool unplug_asked(void);

// The error that a run ends with then; 0: none was asked for.
int unplug_check(struct err *err);

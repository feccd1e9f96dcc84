// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Links whose other end goes and comes back.
#pragma once

#include <stdbool.h>

struct plane;

// Whether there are links to look after.
bool links_any(const struct plane *p);
// To be called ten times a second, also before traffic: connects what can be connected again.
void links_look(struct plane *p);

// From then on links_remember keeps what links have counted. NULL: no more.
void links_watch(struct plane *p);
void links_remember(void);

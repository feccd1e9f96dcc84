// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Links whose other end goes and comes back.
#pragma once

struct plane;

// To be called ten times a second, also before traffic: connects what can be connected again.
void links_look(struct plane *p);

// From then on links_remember keeps what links have counted. NULL: no more.
void links_watch(struct plane *p);
void links_remember(void);

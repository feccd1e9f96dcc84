// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Where something can run on this machine.
#pragma once

struct bench;

// Fills b->env. It looks only; nothing is started but programs that print their version.
void environments_find(struct bench *b);
// Starts what a look cannot tell of: a guest, where KVM may run it.
void environments_try(struct bench *b);

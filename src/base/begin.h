// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What whoever calls a program of pinfold's hands on to it, and it would end by, or wait for without end.
#pragma once

// First of all in main().
void begin_process(void);
// The signals alone, where limits are another's.
void begin_signals(void);
// As it was, for another's program that takes this one's place.
void begin_undo(void);

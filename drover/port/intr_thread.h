// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
#pragma once

// Has EAL's interrupt thread call `fn`, in a turn of its own after all that it has begun, and waits for that: what the
// driver of a link does there when its other end comes or goes then happens before it or after it. Returns what `fn`
// does. `fn` must need no interrupt, and hold no lock that a handler of interrupts takes.
int intr_thread_call(int (*fn)(void *arg), void *arg);

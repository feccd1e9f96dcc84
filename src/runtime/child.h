// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The runtime as a child: it gets the signals that are sent to this process.
#pragma once

#include <signal.h>
#include <sys/types.h>

// A descriptor for child_wait, -1 with errno; old: what the child has to set again.
int child_signals(sigset_t *old);

// Until it has ended; returns its exit status.
int child_wait(pid_t child, int signals);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Children that may not end.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Waits for the end of a child for no longer than so many milliseconds. True: it has ended, *status (NULL: not wanted) is as
// waitpid(2) gives it, and it is reaped, or there is no such child.
bool wait_for_end(pid_t pid, int *status, int ms);

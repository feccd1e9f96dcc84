// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A piece of work in a child process with a time limit: whatever it does to itself (a signal, a
// namespace, a lost privilege, a hang) stays there.
#pragma once

#include <stddef.h>

// Runs fn(arg, result) in a child that is killed after some seconds and with its parent; result is len
// bytes, at most 4096, zero at first. Returns 0 with the bytes in *ret, the signal that ended the
// child (> 0), or -errno when there was no child or no result.
int child_run(
	void (*fn)(const void *arg, void *result),
	const void *arg,
	void *ret,
	size_t len,
	unsigned seconds
);

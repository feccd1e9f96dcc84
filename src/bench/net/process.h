// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the kernel knows of a process that polls: whether it had its CPU.
#pragma once

#include <stdint.h>
#include <sys/types.h>

// The process itself or the first of its descendants that runs a program of that name. 0: there is none yet.
pid_t process_find(pid_t from, const char *name);

// Its first thread whose name has the word in it. 0: none.
pid_t process_thread(pid_t pid, const char *word);

// Nanoseconds that it ran on CPUs, exact also while it runs, less what a hypervisor took where the kernel can tell.
// Negative: not known.
int64_t process_ran_ns(pid_t pid);

// Nanoseconds that a thread could have run and waited for its CPU (/proc/PID/schedstat). Negative: not known.
int64_t process_waited_ns(pid_t pid, pid_t tid);

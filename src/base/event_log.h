// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What processes that nobody looks at (supervisors of detached workloads, keepers) have to tell: starts,
// ends, refusals, what could not be cleaned up. It goes to the system's log (/dev/log), where there is one,
// and always to a file of root's, which is bounded.
#pragma once

#include <sys/types.h>

#define EVENT_LOG_DIR "/run/pinfold"
#define EVENT_LOG_NAME "log"	      // mode 0600
#define EVENT_LOG_FORMER ".1"	      // after its name: what it was when it had grown to
#define EVENT_LOG_BYTES (256L * 1024) // so much

// A line, "TIME pinfold[PID]: …". Where it cannot be written (no root, a full disk) nothing happens, nor does
// it ever wait long. errno is kept.
__attribute__((format(printf, 1, 2))) void event_log(const char *fmt, ...);

// The same of what a user has a say in, as the owner of a keeper: his has a file of its own, "log-UID", so that he drives
// nobody else's out, however long he goes on.
__attribute__((format(printf, 2, 3))) void event_log_of(uid_t user, const char *fmt, ...);

// The same in a file there, and nowhere else: -1 when it was not written.
int event_log_in(int dir, const char *file, const char *text);

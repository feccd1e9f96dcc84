// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What processes that nobody looks at (supervisors of detached workloads, keepers) have to tell: starts,
// ends, refusals, what could not be cleaned up. It goes to the system's log (/dev/log), where there is one,
// and always to a file of root's, which is bounded.
#pragma once

#define EVENT_LOG_DIR "/run/pinfold"
#define EVENT_LOG_NAME "log"	      // mode 0600
#define EVENT_LOG_FORMER "log.1"      // what it was when it had grown to
#define EVENT_LOG_BYTES (256L * 1024) // so much

// A line, "TIME pinfold[PID]: …". Where it cannot be written (no root, a full disk) nothing happens, nor does
// it ever wait long. errno is kept.
__attribute__((format(printf, 1, 2))) void event_log(const char *fmt, ...);

// The same in a directory, and nowhere else: -1 when it was not written.
int event_log_in(int dir, const char *text);

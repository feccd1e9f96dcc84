// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The end of a run that does not end: DPDK's clean-up may wait for ever, as for a thread that it could not
// signal where no signal can be queued. The report is out by then; the kernel takes back what is left.
#pragma once

#include <stdbool.h>

#define ENDING_SECONDS 20 // of the whole clean-up; a dump may wait for its disk in it

// The clean-up begins. Where it is not over in time, the process ends with that status and says so.
void ending_begin(int status);
bool ending_has_begun(void);

// Ends here and now, with 1, as what lcores use cannot be released. Says why.
_Noreturn __attribute__((format(printf, 1, 2))) void ending_now(const char *fmt, ...);

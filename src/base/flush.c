// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/flush.h"

#include <errno.h>
#include <stdio.h>

int flush_stdout(struct err *err)
{
	int failed;

	errno = 0;
	failed = fflush(stdout);
	if ((failed == 0 && !ferror(stdout)) || errno == EPIPE)
		return 0;
	if (failed != 0)
		return err_sys(err, errno, "write to standard output");
	return err_set(err, EIO, "standard output was not written; is its disk full?");
}

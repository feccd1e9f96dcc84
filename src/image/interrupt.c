// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/interrupt.h"

#include <errno.h>
#include <signal.h>

int image_interrupted(struct err *err)
{
	sigset_t set;

	sigpending(&set);
	if (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP))
		return err_set(err, EINTR, "build image: interrupted");
	return 0;
}

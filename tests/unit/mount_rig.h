// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tests in a mount namespace of their own.
#pragma once

#include "unit.h"

#include "base/err.h"

#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

// In a child, with a /run of its own: what it mounts goes with it. The body returns 0, or the line that failed.
static inline void in_mount_namespace(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0
		    || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
		    || mount("unit", "/run", "tmpfs", 0, "mode=0755") < 0)
			_exit(77);
		_exit(body());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip_because("no mount namespace of our own (needs root)");
	if (WEXITSTATUS(status) != 0)
		fail_msg("in the namespace, line %d (of 256) failed", WEXITSTATUS(status));
}

#define CHECK(cond)                             \
	do {                                    \
		if (!(cond))                    \
			return __LINE__ & 0xff; \
	} while (0)

static inline bool said(bool fine, const struct err *err)
{
	if (!fine)
		print_error("%s\n", err->msg);
	return fine;
}

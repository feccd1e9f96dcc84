// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Exit statuses, as container tools use them.
#pragma once

#include <errno.h>
#include <sys/wait.h>

enum {
	STATUS_OK = 0,
	STATUS_FAILED =
		125, // pinfold itself failed: bad usage, bad request, a step that did not work
	STATUS_CANNOT_RUN = 126, // the program is there but cannot be run
	STATUS_NOT_FOUND = 127,	 // the program is not there
};

// Of a program that was not executed, by the error of exec(2).
static inline int status_of_exec(int error)
{
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

// Of a process that has ended, as waitpid(2) gives it.
static inline int status_of_wait(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

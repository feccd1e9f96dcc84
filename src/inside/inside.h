// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold-inside: the one static binary that goes into a container. It links only a few files of
// base, allocates as little as it can, and needs no file of the image it runs in.
#pragma once

#include "base/err.h"
#include "base/status.h"

// The subcommands: argv[0] is the name of the subcommand. They return the exit status.
int inside_audit(int argc, char **argv);
int inside_init(int argc, char **argv);
int inside_show(int argc, char **argv);

// init.c: standard input, output and error as a message over a socket. 0, or the exit status.
int inside_streams(int sock);

// One line on standard error: "pinfold-inside: MESSAGE". Returns STATUS_FAILED.
int inside_fail(const char *fmt, ...) printf_like(1, 2);

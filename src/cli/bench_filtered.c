// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold bench filtered PROGRAM [ARG...]: a step of the experiment "cost", which is not for people. The program gets
// the system call filter that a container has, and nothing else of a fence.

#include "base/jread.h"
#include "base/status.h"
#include "cli/cli.h"
#include "keeper/keeper.h"
#include "plan/seccomp.h"

#include <sys/prctl.h>
#include <unistd.h>

int cli_bench_filtered(int argc, char **argv)
{
	_cleanup_json_ json_t *none = json_pack("{s:[]}", "syscalls");
	struct err err;

	if (argc < 2)
		return cli_refuse("bench filtered: name a program");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		err_sys(&err, errno, "renounce new privileges");
		return cli_fail(&err);
	}
	if (keeper_filter(0, none, &err) < 0)
		return cli_fail(&err);
	execvp(argv[1], argv + 1);
	err_sys(&err, errno, "start '%s'", argv[1]);
	cli_fail(&err);
	return status_of_exec(errno);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/child.h"

#include "base/scope.h"
#include "base/status.h"
#include "base/str.h"

#include <sys/signalfd.h>
#include <sys/wait.h>

// What an engine may send; the rest is for this process. SIGKILL of it leaves the child alone.
static const int passed[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};

int child_signals(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		sigaddset(&set, passed[i]);
	sigprocmask(SIG_BLOCK, &set, old);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int child_wait(pid_t child, int signals)
{
	struct signalfd_siginfo si;
	int status = 0;

	while (waitpid(child, &status, WNOHANG) == 0) {
		if (read(signals, &si, sizeof(si)) == (ssize_t)sizeof(si) && si.ssi_signo != SIGCHLD
		    && si.ssi_code != SI_KERNEL) // of the terminal's whole group
			kill(child, (int)si.ssi_signo);
	}
	return status_of_wait(status);
}

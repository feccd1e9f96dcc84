// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "ending.h"

#include "runtime_dir.h"
#include "stand_in.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static bool begun;

// Nothing of DPDK, nor of exit(): its threads may still run.
static _Noreturn void leave(int status)
{
	runtime_dir_remove();
	stand_in_end();
	fflush(stdout);
	fflush(stderr);
	_exit(status);
}

static void *limit(void *arg)
{
	struct timespec left = {.tv_sec = ENDING_SECONDS};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
	fprintf(stderr,
		"drover: DPDK's clean-up is not over after %d s: left to the kernel\n",
		ENDING_SECONDS);
	leave((int)(intptr_t)arg);
}

void ending_begin(int status)
{
	pthread_t thread;

	__atomic_store_n(&begun, true, __ATOMIC_RELEASE);
	// of pthread, not of EAL: it must not be one that the clean-up waits for
	if (pthread_create(&thread, NULL, limit, (void *)(intptr_t)status) == 0)
		pthread_detach(thread);
}

bool ending_has_begun(void)
{
	return __atomic_load_n(&begun, __ATOMIC_ACQUIRE);
}

void ending_now(const char *fmt, ...)
{
	va_list ap;

	fputs("drover: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(": nothing is cleaned up\n", stderr);
	leave(1);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Calls on EAL's interrupt thread.
//
// A memif's driver has two callers without a lock between them: the interrupt thread, when the other end says
// something or is gone, and whoever stops, closes or starts the port (memif_disconnect and memif_dev_close of DPDK
// 22.11 to 26.07: the control channel that one frees the other goes on using, a SIGSEGV). What the interrupt thread
// does it does one after the other, alarms included.

#include "port/intr_thread.h"

#include <errno.h>
#include <rte_alarm.h>
#include <rte_interrupts.h>
#include <semaphore.h>

struct call {
	int (*fn)(void *arg);
	void *arg;
	int result;
	sem_t done;
};

static void run(void *arg)
{
	struct call *c = arg;

	c->result = c->fn(c->arg);
	sem_post(&c->done);
}

int intr_thread_call(int (*fn)(void *arg), void *arg)
{
	struct call c = {.fn = fn, .arg = arg};

	// without memory for an alarm it is as it was: rarely wrong
	if (rte_thread_is_intr() || sem_init(&c.done, 0, 0) < 0)
		return fn(arg);
	if (rte_eal_alarm_set(1, run, &c) < 0) {
		sem_destroy(&c.done);
		return fn(arg);
	}
	while (sem_wait(&c.done) < 0 && errno == EINTR)
		;
	sem_destroy(&c.done);
	return c.result;
}

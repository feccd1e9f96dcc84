// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Calls on EAL's interrupt thread.
//
// A memif's driver has two callers without a lock between them: the interrupt thread, when the other end says
// something or is gone, and whoever stops, closes or starts the port (memif_disconnect and memif_dev_close of DPDK
// 22.11 to 26.07: the control channel that one frees the other goes on using, a SIGSEGV). What the interrupt thread
// does it does one after the other.

#define ALLOW_EXPERIMENTAL_API // handles of interrupts that are no device's

#include "port/intr_thread.h"

#include <errno.h>
#include <rte_interrupts.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct call {
	int (*fn)(void *arg);
	void *arg;
	int result;
	int fd; // an event: there is something to do
	sem_t done;
};

// It goes on to be called until its event is taken.
static void run(void *arg)
{
	struct call *c = arg;
	eventfd_t unused;

	if (eventfd_read(c->fd, &unused) < 0)
		return;
	c->result = c->fn(c->arg);
	sem_post(&c->done);
}

static int call(struct rte_intr_handle *handle, struct call *c)
{
	int r = -1;

	if (handle == NULL || c->fd < 0 || sem_init(&c->done, 0, 0) < 0)
		return -1;
	if (rte_intr_fd_set(handle, c->fd) == 0
	    && rte_intr_type_set(handle, RTE_INTR_HANDLE_EXT) == 0)
		r = rte_intr_callback_register(handle, run, c);
	while (r == 0 && sem_wait(&c->done) < 0 && errno == EINTR)
		;
	// EAGAIN: it is on its way out of it
	if (r == 0)
		rte_intr_callback_unregister_sync(handle, run, c);
	sem_destroy(&c->done);
	return r;
}

int intr_thread_call(int (*fn)(void *arg), void *arg)
{
	struct call c = {.fn = fn, .arg = arg, .fd = -1};
	struct rte_intr_handle *handle;
	int r;

	if (rte_thread_is_intr())
		return fn(arg);
	// not an alarm: the next one may pass in the same turn, before what else has come in that
	c.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	r = call(handle, &c);
	rte_intr_instance_free(handle);
	if (c.fd >= 0)
		close(c.fd);
	// without memory or descriptors for it, it is as it was: rarely wrong
	return r < 0 ? fn(arg) : c.result;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#define ALLOW_EXPERIMENTAL_API // events of devices

#include "unplug.h"

#include "base/str.h"
#include "dpdk.h"

#include <rte_dev.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static char device[64];
static bool asked;
static const struct plane *plane;

// In EAL's thread of interrupts, once for each time that the kernel asks. The first thread sleeps until a signal comes.
static void on_event(const char *name, enum rte_dev_event_type event, void *arg)
{
	(void)arg;
	if (event != RTE_DEV_EVENT_REMOVE || unplug_asked())
		return;
	snprintf(device, sizeof(device), "%s", name);
	__atomic_store_n(&asked, true, __ATOMIC_RELEASE);
	kill(getpid(), SIGTERM);
}

int unplug_watch(const struct plane *p, struct err *err)
{
	int r = rte_dev_event_callback_register(NULL, on_event, NULL);

	plane = p;
	return r < 0 ? err_set(err, -r, "hear of NICs that are taken out: %s", dpdk_why(-r)) : 0;
}

bool unplug_asked(void)
{
	return __atomic_load_n(&asked, __ATOMIC_ACQUIRE);
}

int unplug_check(struct err *err)
{
	const char *port = NULL;

	if (!unplug_asked())
		return 0;
	for (unsigned i = 0; i < plane->nports; i++) {
		if (str_eq(plane->ports[i].device.name, device))
			port = plane->ports[i].conf->name;
	}
	return err_set(
		err,
		ENODEV,
		"%s%s%sNIC %s is being taken out of the machine",
		port != NULL ? "port '" : "",
		port != NULL ? port : "",
		port != NULL ? "': " : "",
		device
	);
}

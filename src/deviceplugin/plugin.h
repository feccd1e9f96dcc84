// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The plug-in as a whole: what the ledger has, a server for each resource, kubelet that comes and goes.
#pragma once

#include "deviceplugin/kubelet.h"
#include "deviceplugin/server.h"

#include <signal.h>

#define RESOURCES_MAX 64

struct plugin {
	const char *dir;    // of kubelet's sockets
	unsigned health_ms; // how often it looks at the machine
	struct hostfs fs;
	grpc_completion_queue *queue;
	struct catalog catalog; // as it was read last
	unsigned n;
	struct offer *offers[RESOURCES_MAX];
	struct identity kubelet; // its socket
	bool kubelet_there;
	int changes;	     // inotify(7)
	int64_t looked;	     // at the machine
	char complaint[256]; // the last one about the ledger
};

// Serves until *end says so. Fails when what it has served does not end, or somebody else serves it now: then the
// process is to end as it is.
int plugin_run(struct plugin *p, const volatile sig_atomic_t *end, struct err *err);

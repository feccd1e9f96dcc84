// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// QEMU's control socket: one JSON document a line (qemu-qmp-ref(7)). QEMU may be in the hands of its guest: what it
// says is bounded, and waited for no longer than said.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

#define QMP_LINE 262144u // the longest is the console's end, escaped

struct qmp {
	int fd;	   // -1: QEMU has closed it
	char *buf; // QMP_LINE bytes
	size_t len;
	bool stopped;	// an event said so: it does not run any more
	char event[64]; // the one that did
	bool off;	// the guest has switched itself off
	int fill;	// s, longer than others that its answers may take
};

int qmp_open(struct qmp *q, int fd, struct err *err);
void qmp_done(struct qmp *q);

// The greeting and what follows it. fill: seconds that it may take to have its memory, and its NICs to have that.
int qmp_begin(struct qmp *q, int fill, struct err *err);
// arguments: taken over, NULL: none. ret: a new reference to what it returns, NULL: not wanted.
int qmp_command(struct qmp *q, const char *name, json_t *arguments, json_t **ret, struct err *err);
// Takes the events that have come. -EPIPE: QEMU has closed it.
int qmp_events(struct qmp *q, struct err *err);

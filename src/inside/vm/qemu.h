// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The process of QEMU: its start with each virtual CPU on a granted one, and why it or its guest stopped.
#pragma once

#include "inside/vm/qmp.h"

#include <sys/types.h>

struct qemu {
	pid_t pid;  // 0: none, or no longer
	int output; // what it complains about, -1: nothing more comes
	char complaint[4096];
	size_t ncomplaint;
	struct qmp qmp;
};

// Makes files of hugepages, each from a CPU near which they are to be: the kernel takes those of the node first.
int qemu_files(const json_t *files, struct err *err);
// argv: strings. cpus: where all of it runs but its virtual CPUs. ret_port: our end of the guest's first port, the caller's
// from here on. qmp_begin is what follows.
int qemu_start(
	struct qemu *q, const json_t *argv, const char *cpus, int *ret_port, struct err *err
);
void qemu_end(struct qemu *q);
// One virtual CPU to one CPU of the host each (strings), while none of them runs yet.
int qemu_pin(struct qemu *q, const json_t *cpus, struct err *err);

// Reads its output, the end of which is kept for who asks why it ended.
void qemu_read(struct qemu *q);
// -EPIPE when it has ended, with the reason.
int qemu_ended(struct qemu *q, struct err *err);
// -EIO when its guest has stopped or cannot go on, with the reason: it stays then, so that it can be asked.
int qemu_stopped(struct qemu *q, struct err *err);
// What tells most why a guest does not come up: a line of its console, else the last of QEMU's own.
void qemu_reason(struct qemu *q, char *ret, size_t len);

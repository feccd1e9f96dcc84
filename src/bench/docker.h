// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A Docker of the benchmark's own, where this machine has Docker and no daemon of it runs: with directories below
// b->work, a mount namespace, and no network. Nothing of the machine's own is touched.
#pragma once

#include "bench/bench.h"

#include <sys/types.h>

// Whether that is possible; if so e is present, and has its version.
bool docker_could(struct bench *b, struct environment *e);

// Until the end of the experiment there is a daemon that `docker` talks to. Where the machine has one it is that.
int docker_up(struct bench *b, struct err *err);

// Of its own daemon, 0: there is none.
pid_t docker_daemon(const struct bench *b);

// A directory as an image of the daemon's, once, under a name that is this benchmark's alone.
int docker_image(struct bench *b, const char *dir, struct err *err);
const char *docker_image_name(void);

// The image, where the daemon is the machine's own, and what its own leaves below /run go.
void docker_done(struct bench *b);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Private to drover/config/resolve.
#pragma once

#include "config/hint.h"
#include "config/location.h"
#include "config/resolve/resolve.h"

static inline struct location place(const struct conf *c, unsigned line)
{
	return (struct location){c->file, line};
}

// ports.c: names of ports are one of a kind, and devices of the command line are in place.
int resolve_ports(struct conf *c, const struct conf_overrides *o, struct err *err);
// Names in a list are those of ports, which then carry traffic.
int resolve_names(
	struct conf *c,
	unsigned line,
	const char *key,
	const struct key_names *names,
	struct err *err
);
// A port that carries traffic has a device.
int resolve_devices(const struct conf *c, const struct conf_overrides *o, struct err *err);
// "; did you mean 'X'?" among the names of the ports; when none is near, some of them.
const char *hint_port(char buf[static HINT_MAX], const char *word, const struct conf *c);

// outputs.c: "remap=" of a task.
int resolve_remap(struct conf *c, struct task_section *t, struct err *err);
// Tasks that are named are there and take packets from rings, and the reverse.
int resolve_outputs(struct conf *c, const struct core_section *sections, struct err *err);

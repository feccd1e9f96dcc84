// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// From configuration and grant to EAL's command line.
#pragma once

#include "lcores.h"
#include "run.h"

struct eal_plan {
	struct placement place;
	unsigned argc;
	char *argv[128];
	bool granted; // a grant was found
	struct port_device devices[CONF_PORTS];
};

int eal_plan(
	const struct conf *c, const struct run_options *o, struct eal_plan *ret, struct err *err
);
void eal_plan_done(struct eal_plan *p);

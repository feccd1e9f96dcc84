// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
#pragma once

#include "base/err.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

struct run_options {
	const char *file;
	struct conf_overrides overrides;
	bool squeeze;
	bool check;	    // everything but traffic
	bool json;	    // the report at the end
	uint64_t duration;  // ns; 0: as the configuration says
	const char *prefix; // --file-prefix; NULL: "drover-PID"
	bool no_huge;
	const char *dump_dir; // that mode=dump writes below; NULL: the configuration's folder
	unsigned nlogs;
	const char *logs[8]; // "[COMPONENT:]LEVEL", of DPDK's messages
};

// Reads the file, starts EAL, ports and tasks; runs until a signal or the duration is over, and prints
// the report. With o->check: everything but traffic.
int drover_run(const struct run_options *o, struct err *err);

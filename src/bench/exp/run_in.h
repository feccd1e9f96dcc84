// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// One program in each environment: from one small image, so that only the environment differs.
#pragma once

#include "bench/bench.h"
#include "bench/child.h"

#include <jansson.h>

#define RUN_IN_WORDS 64
// paths of the image
#define RUN_IN_INSIDE "/usr/bin/pinfold-inside"
#define RUN_IN_DROVER "/usr/bin/drover"

struct run_in_how {
	const char *program[16]; // with its arguments; a path of the image. Ends with NULL
	const char *option[12];	 // of pinfold run, for containers and VMs: grant flags, volumes
	bool detached;	    // of pinfold and engines: the command returns when the program runs
	bool debug;	    // pinfold tells its steps on standard error
	const char *memory; // of a VM: "256M"; NULL: as pinfold has it
};

struct run_in {
	char name[48];			// of the container
	const char *argv[RUN_IN_WORDS]; // of the command
	struct child_how child;		// that starts it: add pipes and a log
	char *held[8];			// what argv points to
};

// The image: pinfold-inside, sh, echo, sleep, cat and drover. Made once a run, by pinfold image build. Its directory is
// borrowed from b.
int run_in_image(struct bench *b, const char **ret, struct err *err);

// What starts it there, for child_start or child_run. number: unique in the run. run_in_done frees it.
int run_in_command(
	struct bench *b,
	const struct environment *e,
	const struct run_in_how *how,
	unsigned number,
	struct run_in *ret,
	struct err *err
);

// Runs it to its end, and returns what it wrote on standard output (free it). expect: its exit status, negative: any.
int run_in_output(
	struct bench *b,
	const struct environment *e,
	const struct run_in_how *how,
	int expect,
	char **ret,
	struct err *err
);
// The same of a program that prints a JSON object. *ret is a new reference.
int run_in_json(
	struct bench *b,
	const struct environment *e,
	const struct run_in_how *how,
	int expect,
	json_t **ret,
	struct err *err
);

// After a program that was cut short: what a runtime keeps of it goes, also after ctrl-C.
void run_in_remove(struct bench *b, const struct environment *e, const struct run_in *p);
void run_in_done(struct run_in *p);

// Adds the environments that are missing here, of those in the set (bits of enum env_kind).
void run_in_lacks(const struct bench *b, unsigned set, struct reasons *r);

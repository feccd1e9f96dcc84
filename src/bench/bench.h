// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The experiments of the paper, on the user's own machine. What they do they do as a user would: they start
// pinfold, drover, crun and podman, and read what those print. An experiment is one file that defines a struct
// experiment and registers it; no list has to be touched to add one.
#pragma once

#include "base/err.h"
#include "bench/result.h"
#include "bench/work_dir.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum bench_size {
	BENCH_QUICK,
	BENCH_FULL,
	BENCH_BRIEF, // for a first look: some experiments, and of each the least that can be compared
	BENCH_SIZES
};

// "quick", "full", "brief".
const char *bench_size_name(enum bench_size size);
// False: it is none of them.
bool bench_size_find(const char *name, enum bench_size *ret);

enum env_kind {
	ENV_HOST,      // a bare pinned process in the root cgroup
	ENV_CONTAINER, // pinfold run
	ENV_VM,	       // pinfold run --in vm
	ENV_CRUN,
	ENV_PODMAN,
	ENV_DOCKER,
	ENV_KINDS
};

// Where something may run.
struct environment {
	enum env_kind kind;
	const char *name; // "host", "container", "vm", …
	bool present;
	bool emulated;	  // its CPU is (TCG)
	bool own;	  // its daemon is one of the benchmark's (docker.h)
	char version[64]; // of what makes it
	char why[160];	  // it is not present
};

// A second machine, whose tester loads functions of this one over real ports. It is reached by ssh without a password.
struct remote {
	const char *host;    // as ssh has it
	const char *drover;  // its path there
	const char *cpu;     // there, of the tester
	const char *port[2]; // devices of drover there: what goes out, and what comes back
	const char *own[2];  // here, at their other ends: what comes in, and what goes out
};

// Where an experiment adds what it lacks on this machine.
struct reasons;
void lacks(struct reasons *r, const char *fmt, ...) printf_like(2, 3);

// What the machine did while trials of an experiment ran.
struct bench_seen {
	unsigned trials, repeated, invalid;
	bool stalls;	 // somebody looked for them
	double stall_ms; // the longest
	double steal;	 // the largest share of the CPUs' time that a hypervisor took in a trial
};

struct bench {
	enum bench_size size;
	struct environment env[ENV_KINDS];
	// absolute paths of the programs: this very one, and those beside it. drover NULL: not found
	char *pinfold, *drover, *inside;
	struct work_dir work_dir;
	const char *work;	     // its path: for the experiment's files, which go with the run
	int cpu_vnf;		     // the CPU for what is measured
	int cpu_tester;		     // for what loads it; the same where there is but one
	unsigned ncpus;		     // that this process may use
	const struct remote *remote; // NULL: the tester is here, and links are shared memory
	int64_t until_ms; // clock_ms(): the experiment's time is up, and no further round begins
	const struct results *found; // of the experiments before this one
	struct bench_seen seen;	     // since the experiment began
	struct progress *progress;
	struct children *children;
};

struct experiment {
	const char *name;		  // one word
	const char *figure;		  // "Fig. 11", "Tab. 4, 5", "§3.7"
	const char *title;		  // a heading of the report
	const char *about;		  // what it measures, in one or two sentences
	const char *dropped[BENCH_SIZES]; // what a run of that size leaves out; NULL: nothing
	unsigned seconds[BENCH_SIZES]; // about how long it takes; 0: it is not part of such a run
	unsigned order;		       // in the list and the report, as the paper has them
	// Adds what of it this machine lacks; NULL: it needs nothing. Returns false where nothing of it can be measured.
	bool (*lacks)(const struct bench *b, struct reasons *r);
	// Fails only where it cannot go on at all: what it found until then is kept. A trial that fails is a row.
	int (*run)(struct bench *b, struct result *r, struct err *err);
};

void experiment_register(const struct experiment *e);

#define EXPERIMENT(e)                                               \
	static void __attribute__((constructor)) register_##e(void) \
	{                                                           \
		experiment_register(&(e));                          \
	}                                                           \
	_Static_assert(__builtin_types_compatible_p(typeof(e), struct experiment), "")

// All of them, ordered. Returns how many.
unsigned experiment_list(const struct experiment *const **ret);
const struct experiment *experiment_find(const char *name);

// ---- for experiments

// Ctrl-C was pressed; or the time is up.
bool bench_cancelled(void);
// -ECANCELED with a message.
int bench_check(struct err *err);
// Waits; true when it was not cut short.
bool bench_pause(unsigned milliseconds);

// One line for a person who waits, on standard error: "startup: container, start 3 of 20". The time that is left is
// added.
void bench_say(struct bench *b, const char *fmt, ...) printf_like(2, 3);

// A path below b->work. To be freed.
char *bench_path(const struct bench *b, const char *fmt, ...) printf_like(2, 3);

// quick or full, by b->size; a brief run is a quick one with less in it.
static inline unsigned bench_choose(const struct bench *b, unsigned quick, unsigned full)
{
	return b->size == BENCH_FULL ? full : quick;
}

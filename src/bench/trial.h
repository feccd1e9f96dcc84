// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Trials that doubt themselves: the sides of a comparison are measured in turn, round after round, in an order that
// turns round with each; what the machine does meanwhile is measured alongside; a trial that fails a check is made
// again, and after that is reported as invalid with the reason.
#pragma once

#include "base/err.h"
#include "bench/stalls.h"

#include <stdbool.h>

struct bench;
struct row;

#define TRIAL_SIDES 12
#define TRIAL_VALUES 48

// What a trial may stand of the machine below it: a share of the CPUs' time, and a stall in ms where it is of times.
#define TRIAL_STEAL 0.10
#define TRIAL_STALL_MS 50

struct trial {
	unsigned side, round;
	unsigned
		attempt; // 0, 1, …: names of files and sockets must not be those of an earlier attempt
	unsigned number;	    // unique in the program's run: for such names
	double value[TRIAL_VALUES]; // NAN at first
	struct stalls_report seen;  // stalls and steal while it ran
	bool invalid;
	bool final; // it is invalid, and would be each time
	char why[256];
	char before[256]; // of the attempt before this one
};

// It is to be repeated. The first reason counts.
void trial_invalid(struct trial *t, const char *fmt, ...) printf_like(2, 3);
// It is not to be repeated: what was asked cannot be measured with what there is.
void trial_final(struct trial *t, const char *fmt, ...) printf_like(2, 3);

// One trial. A failure is an invalid trial too, with the error as its reason; whatever was started is ended and every
// name that was taken is free when it returns, since it may be called again.
typedef int (*trial_fn)(struct bench *b, void *arg, struct trial *t, struct err *err);

struct series {
	const char *what;	       // for the progress: "startup"
	const char *side[TRIAL_SIDES]; // for the progress and messages
	unsigned nsides;
	unsigned rounds;   // of each side
	unsigned least;	   // rounds that are made even if the time is up
	unsigned attempts; // of a trial, the first one included; 0: 3
	bool polls; // its programs have all CPUs and see stalls themselves: nothing else wakes there
	double stall_ms; // a longer stall makes a trial invalid; 0: none does
	double steal;	 // the same for the share of time stolen below this machine
	trial_fn run;
	void *arg;
	// rows[side][value]: where its values go; NULL: nowhere
	struct row *row[TRIAL_SIDES][TRIAL_VALUES];
};

// What became of them.
struct series_report {
	unsigned rounds; // that were begun
	unsigned trials, repeated, invalid;
	double worst_stall_ms, steal;
};

// Makes the rounds. A side that failed in two rounds one after the other is left out of the rest, and its rows say why.
// Fails only with ECANCELED: rows have what was measured until then.
int series_run(struct bench *b, struct series *s, struct series_report *ret, struct err *err);

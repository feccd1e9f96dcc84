// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A function under test and the tester that loads it: a drover each, on a CPU each, with two links between them. The
// tester is a bare process in every case; what differs is where the function runs.
#pragma once

#include "base/err.h"
#include "bench/bench.h"
#include "bench/child.h"
#include "bench/net/function.h"
#include "bench/net/search.h"
#include "bench/net/window.h"

#define RIG_TASKS 4
#define RIG_PAGES 224 // of 2 MiB: a BNG and its tester

enum rig_link {
	RIG_MEMIF,
	RIG_VHOST,
	RIG_RING,
	RIG_AF_XDP
};

struct rig_how {
	const struct environment
		*env; // of the function; NULL: there is none, the tester gets back what it sends
	const struct function *function;
	const struct frame_size *size;
	enum rig_link link;
	unsigned number; // unique, for names
	const char *const
		*wrap; // words before the program of a bare function; ends with NULL, or NULL
	int cpu;       // 1 + the function's CPU; 0: the usual one
};

struct rig_drover {
	struct child child;
	char what[64]; // "container 'vnf'", for messages
	char *log;
	pid_t pid;   // of drover itself; 0: not known, as in a guest
	pid_t tid;   // of its polling thread
	int control; // -1: none
};

struct rig {
	struct bench *b;
	const struct rig_how *how;
	struct rig_drover vnf, tester;
	unsigned ngens, nlats;
	char gen[RIG_TASKS][32], lat[RIG_TASKS][32]; // names of tasks
	double ready_s; // from the start of the function's command until it polls its links
};

#define RIG_INIT ((struct rig){.vnf = {.control = -1}, .tester = {.control = -1}})

// What it needs of the machine; adds to r what is lacking. False: nothing can be measured.
bool rig_lacks(const struct bench *b, struct reasons *r);
// The same of one that has rows of a virtual machine.
bool rig_lacks_vm(const struct bench *b, struct reasons *r);

// Starts both and waits until packets come back; generators are stopped then. A function without a tester is started
// alone. On failure all is ended.
int rig_start(struct bench *b, const struct rig_how *how, struct rig *ret, struct err *err);
void rig_end(struct rig *rig);
#define _cleanup_rig_ __attribute__((cleanup(rig_end)))

// Sends for so long at so many packets a second (0: as fast as it goes), waits for what is under way and reads all
// counters. Fails where a program has ended or does not answer.
int rig_offer(struct rig *rig, double pps, double seconds, struct window *ret, struct err *err);

// The same until the window is valid, a few times at most: then its last reason is the error (EAGAIN).
int rig_offer_valid(
	struct rig *rig, double pps, double seconds, struct window *ret, struct err *err
);

// What a search cost besides its result.
struct rig_search {
	unsigned repeated; // trials that were disturbed
	double excused; // the highest share of a trial's packets that the machine's stalls explain
	bool beyond_tester; // the tester could not offer `max`, which was lowered to what it can
	bool broken;	    // it failed, and not for stalls of the machine
};

// Makes the trials of a search that is filled in. EAGAIN: one of them stayed invalid.
int rig_search(struct rig *rig, struct search *s, struct rig_search *ret, struct err *err);

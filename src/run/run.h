// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Starting, watching and ending workloads.
#pragma once

#include "apply/apply.h"
#include "base/err.h"
#include "grant/grant.h"
#include "launch/launch.h"
#include "ledger/ledger.h"
#include "plan/plan.h"
#include "run/relay.h"

// A start in the making: from request and launch to a plan, the ledger open and locked.
struct start {
	struct ledger ledger;
	struct host host;
	struct lease lease;
	struct plan plan;
	bool planned;
	struct restarts *restarts; // borrowed; NULL: it runs once
};

// A grant that somebody else chose, and that is taken as it is, whatever others hold.
struct start_given {
	int (*make
	)(const struct start_given *given,
	  const struct host *host,
	  const struct hostfs *fs,
	  struct grant *ret, // but its name
	  struct err *err);
	const char *name;
	bool pci;	    // the host's PCI devices have to be known
	const json_t *spec; // borrowed
};

// Whether whoever names a definition may have it; 0, or what is wrong. Asked before anything else is said of it.
struct start_claim {
	int (*check
	)(const struct start_claim *claim,
	  const struct ledger *l,
	  const struct grant *g,
	  struct err *err);
	const void *arg;
};

// What is asked for. Exactly one of request (by flags), definition (by name) and given is used.
struct start_request {
	const struct request *request;
	const char *definition;
	struct launch launch;
	const struct start_given *given;
	const struct start_claim *claim; // on the definition; NULL: it may
	const struct lease *again;	 // of the run before this one; NULL: there was none
};

// Reads the host, takes the lock, collects what is dead, resolves the grant and makes the plan. fs:
// the machine, or a copy of one's files (then nothing is collected and no lock is taken). On failure
// nothing is left open.
int start_prepare(
	const struct start_request *req, const struct hostfs *fs, struct start *ret, struct err *err
);
void start_done(struct start *s);

#define OUTCOME_NOTE (2 * HITS_LINE)

// What became of a workload.
struct outcome {
	int status; // exit status for the caller: the program's, 128+signal, 125, 126, 127
	bool program_ran;
	char note
		[OUTCOME_NOTE]; // which limit it ran into at its end, or why it failed at its start; "": not known
	const char *limit;	   // and in a word, as hits_text says it; NULL: not known
	struct err drains;	   // says who has what it passed on; code 0: nothing is left of it
	char last[RELAY_LAST + 1]; // what it said last, where that was carried
	bool told;		   // a signal said that it is to end
	unsigned again;		   // it is started again in so many seconds; 0: not
	bool waits;		   // until then its lease stays
};

// Carries the plan out, waits for the end and takes everything back; a site without a lease leaves that to
// whose it is. given: the program's ends of its streams, which somebody else relays, taken over; NULL: they are
// made. ready: where the news is told that
// it has started, -1: nowhere. Fails with a line when the workload could not be started; ret->status says 125, 126 or 127 then.
int run_workload(
	struct start *s,
	const struct launch *launch,
	struct streams *given,
	int ready,
	struct outcome *ret,
	struct err *err
);

// ---- inherited_limits.c

// For a process that becomes a workload's: class of scheduling, nice value, I/O priority, memory policy and
// what else a caller hands on are the system's own.
int run_give_up_priorities(struct err *err);

// The limits of a container for this process, which becomes its runtime: those that are given, and none of
// the others of setrlimit(2), as far as it may raise them. Its priorities are given up.
int run_limit(const struct right_limit *limits, unsigned n, struct err *err);

// ---- stop.c

// Ends a workload: SIGTERM, then SIGKILL after some seconds; returns when nothing is left of it, or fails
// with who has what of it.
int stop_workload(struct ledger *l, const char *name, unsigned seconds, struct err *err);

// lease_end with the lock taken for it; where it drains, again, for a moment.
int lease_end_soon(struct ledger *l, const struct lease *lease, bool *waits, struct err *err);

// ---- restart.c

// The starts of a workload that is started again.
struct restarts {
	unsigned tries; // in a row, none of which lasted
	bool ran;	// it did once
	bool over;	// as often in a row as is asked for
};

// How many seconds after its end it is started again, 0: it is not. out: how it ended; ran_ms: how long it ran.
unsigned restart_next(
	struct restarts *r, const struct restart *how, const struct outcome *out, int64_t ran_ms
);

// Runs it until it is not started again. ready: as run_workload has it, of the first start.
int run_again_and_again(
	const struct start_request *req,
	const struct hostfs *fs,
	int ready,
	struct outcome *ret,
	struct err *err
);

// Tells a lease's supervisor itself to end, and to start nothing again. False: it has none.
bool restart_tell(const struct ledger *l, const struct lease *lease);
// Ends one that waits for its next start, or for what it passed on.
int restart_stop(struct ledger *l, const struct lease *lease, struct err *err);

// ---- update.c

// An option of a grant as it is asked for, without its dashes, that may be none that can change.
struct update_option {
	const char *name, *value;
};

struct update {
	struct grant_change change;
	unsigned noptions;
	struct update_option options[16];
};

// Gives the grant `name` other limits: its definition, and what runs in it. All of it, or nothing. *ret_stale: what runs
// goes on to see the former ones.
int update_grant(
	struct ledger *l, const char *name, const struct update *u, bool *ret_stale, struct err *err
);

// ---- exec.c

// Another program in a workload that runs: waits for its end. On the bare host this process becomes the
// program, and it returns only when that fails. Of the launch count its program, environment, user and streams.
int exec_in_workload(
	struct ledger *l,
	const char *name,
	const struct launch *launch,
	struct outcome *ret,
	struct err *err
);

#define RUNTIME_MILLISECONDS 10000

// Waits for the runtime to have written down that the container runs, unless it has none; whether it has. So long, in tens.
bool exec_wait_for_runtime(const struct lease *lease, unsigned milliseconds);

// The same in a container. fs NULL: with nothing but the runtime, for a keeper. given: as above.
int exec_in_container(
	const struct hostfs *fs,
	const struct lease *lease,
	const struct launch *launch,
	const struct host_limits *limits,
	struct streams *given,
	struct outcome *ret,
	struct err *err
);

// Which limit it ran into, if it was killed: before is what the workload had run into when it began.
void exec_note(
	const struct hostfs *fs,
	const struct lease *lease,
	const struct hits *before,
	struct outcome *out
);

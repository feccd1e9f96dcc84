// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The highest rates at which no more than given shares of packets are lost, by multiple loss ratio search (MLRsearch, RFC
// 9971): all of them in one go, with trials that grow as the rates draw near. Only decides: whoever measures asks
// which trial is next, makes it, and says what it lost.
#pragma once

#include <stdbool.h>

#define SEARCH_GOALS 4
#define SEARCH_TRIALS 256
#define SEARCH_PHASES 6

// A rate that is looked for (RFC 9971, section 4.6).
struct search_goal {
	double loss; // the share that may be lost: 0 for the no-drop rate
	double exceed; // the share of the trials' time at a rate in which more may be lost all the same
	double width; // of the interval that it is found in, as a share of its upper end
	double sum;   // seconds of trials at a rate, of `final` or longer, that decide about it
};

struct search_trial {
	double load;	// packets a second
	double seconds; // that it lasted
	double loss;	// share, 0..1, that decides about the load
	double through; // share that came through: not all that is missing need be the device's loss
};

// To be filled in before search_begin: min, max, first, final, goals; limit 0: no end.
struct search {
	double min, max;     // loads
	double first, final; // seconds of the shortest trials, and of those that count in full
	double limit;	     // seconds of trials in all, after which it ends with what it has
	unsigned ngoals;
	struct search_goal goal[SEARCH_GOALS]; // the one with the highest loss first

	// its own
	unsigned phases, n;
	double seconds;
	struct search_trial trial[SEARCH_TRIALS];
	struct {
		unsigned phase;	     // phases that are done
		double lower, upper; // bounds of the phase before; 0: none
		double step; // of the search for a bound that is missing, a share of the load
	} state[SEARCH_GOALS];
};

void search_begin(struct search *s);

// Which trial is next: a load and how long. False: all is found, or the limit is reached.
bool search_next(struct search *s, double *ret_load, double *ret_seconds);

void search_add(struct search *s, double load, double seconds, double loss, double through);

enum search_end {
	SEARCH_FOUND,
	SEARCH_MAX,	  // even `max` is not too much: the rate is that, or higher
	SEARCH_MIN,	  // even `min` is too much
	SEARCH_UNFINISHED // the limit came first: the bounds are as near as they got
};

struct search_result {
	enum search_end end;
	double lower;	   // the highest load below `upper` at which no more was lost
	double upper;	   // the lowest one at which more was; NAN where none was
	double throughput; // at `lower`, of what came through (conditional throughput)
	unsigned trials;
};

struct search_result search_result(const struct search *s, unsigned goal);

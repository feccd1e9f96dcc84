// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A stretch of traffic from its first packet to its last: what became of every packet, what the function and the tester
// did meanwhile, and whether it says anything. The generator is stopped before anything is read and what is under way
// has arrived, so the counts are exact.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_ENOUGH 0.95 // of its CPU that a polling process must have had

struct window {
	double asked;	// packets a second; 0: as many as there can be
	double seconds; // of traffic

	// packets
	uint64_t sent;	   // that the link took from the generator
	uint64_t full;	   // due, but the link was full; not known where `asked` is 0
	uint64_t late;	   // due, but the generator itself was too late for them
	uint64_t received; // by the meter, each once
	uint64_t duplicates, reordered,
		corrupt;       // as the meter says; corrupt: the stamp is damaged or missing
	bool vnf_known;	       // of a function whose counters can be read:
	uint64_t rx, tx;       // that it took in and sent
	uint64_t dropped;      // counted by it, by its ports and by the tester's
	uint64_t work, bursts; // packets and polls with packets
	double busy, idle;     // cycles
	double tester_busy;    // of generator and meter together
	double latency_ns[8];  // by enum quantile; NAN where there is none
	double meter_ns;       // the meter's own error: the latency it sees where there is none

	// of the time from the first packet to the last
	double vnf_ran, tester_ran; // seconds for which its process had a CPU; NAN: not known
	double waited;		    // seconds that the function's polling thread waited for its CPU
};

enum quantile {
	Q50,
	Q90,
	Q99,
	Q999,
	Q9999,
	QMAX,
	QMEAN,
	QMIN
};

// Nothing is known.
void window_clear(struct window *w);

// What was asked of the link.
double window_attempted(const struct window *w);
double window_offered(const struct window *w);	// packets a second, the same
double window_received(const struct window *w); // packets a second
// Share of what was attempted that did not come back.
double window_loss(const struct window *w);
// Share of it that can be the machine's: what was due while the function's or the tester's core stood still.
double window_excused(const struct window *w);
// What is left is the function's.
double window_vnf_loss(const struct window *w);
double window_cycles(const struct window *w); // of the function for a packet; NAN: not known
double window_tester_cycles(const struct window *w);
double window_idle(const struct window *w
); // share of the function's time without packets; NAN: not known

// Packets that neither came back nor were counted where they went: 0, or something is broken. Not known: 0.
int64_t window_unaccounted(const struct window *w);

// The generator could not do what was asked of it, and no stall was why: the load is beyond the tester.
bool window_beyond_tester(const struct window *w);

// What came back is not what was sent: no stall of the machine explains that.
bool window_broken(const struct window *w);

// Whether it counts; `why` says why not. A load that is beyond the tester is not valid either.
bool window_valid(const struct window *w, char *why, size_t len);

// Whether the tester paid the same for a packet in both, within a quarter: else the machine had another speed for one of
// them.
bool window_alike(double tester_cycles_a, double tester_cycles_b);

// Adds one task's answer to "stats", and one port's to "ports". tester: it is the tester's.
void window_add_task(struct window *w, const json_t *task, bool tester);
void window_add_port(struct window *w, const json_t *port);

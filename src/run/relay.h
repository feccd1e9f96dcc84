// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The standard streams of a container's program. What it gets are pipes or a pseudo-terminal that pinfold
// has made; a process of its own, the relay, carries the bytes between them and the caller's descriptors,
// which the container never sees: whatever they are (a terminal, a FIFO, a file open for appending), it can
// neither read what it was not given, nor change their settings, their owner or what is in them.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"

#include <stdbool.h>
#include <sys/types.h>

#define STREAMS 3

struct streams {
	int program[STREAMS]; // what the program gets; a terminal: [0] alone
	int ours[STREAMS];    // the other ends; -1: there is none, as of an input that is empty
	bool terminal;
	int size; // of a terminal of somebody else's: where its size is to be read; -1: none
};

#define NO_STREAMS                                                        \
	{                                                                 \
		.program = {-1, -1, -1}, .ours = {-1, -1, -1}, .size = -1 \
	}

// Pipes, whose ends on the program's side it may open again by name (/dev/stdout), but only to do what
// they are for. input: else it reads an empty file.
int streams_open(bool input, struct streams *ret, struct err *err);

// An empty file of nobody's, for a program that has no input. Not /dev/null: that is a device of the host.
int streams_no_input(void);

// What somebody else has made, and relays: taken over, all three. Refuses what is neither pipe nor, of a
// terminal, one.
int streams_of(const int *fds, bool input, bool terminal, struct streams *ret, struct err *err);

// Hands the program's ends to pinfold-inside init at the other end of a socket (--streams).
int streams_send(const struct streams *s, int sock, struct err *err);

// Keeps our ends alone; a program's end that stays open here would never come to its end.
void streams_handed_over(struct streams *s);
void streams_done(struct streams *s);

// Whether they need a relay by now: where there is an input, or a terminal; when the program has said
// something, or nobody reads any more what it will say. Ends of ours that the program has closed are closed
// here, and the caller's with them. ended: the program has, and what it left is all there will be.
bool streams_wanted(struct streams *s, bool ended);
// Nothing is left to be carried.
bool streams_closed(const struct streams *s);

// Bytes of what a program said last: EAL says what is wrong above its usage, which is 6 KB.
#define RELAY_LAST 16384

struct relay_last; // of the process that carries, seen here

struct relay {
	pid_t pid;   // 0: none
	int status;  // of one that relay_gone has found
	bool nobody; // nobody took any more what the program said
	int control; // a byte: the program has ended
	struct relay_last *last;
};

#define NO_RELAY              \
	{                     \
		.control = -1 \
	}

// Starts the relay between our ends and standard input, output and error: all are closed here but the last,
// and those of a terminal. With a
// lease it works at the cost of its grant; NULL: as the caller. It outlives this process as long as the
// program does.
int relay_start(
	struct relay *ret,
	struct streams *s,
	const struct hostfs *fs,
	const struct lease *lease,
	struct err *err
);

// True if it has ended, as when the caller's side of a terminal has gone.
bool relay_gone(struct relay *r);

// The program has ended: waits until all it said is delivered; what somebody else goes on writing is not.
// sfd: a signalfd with SIGCHLD; another signal that ends programs is obeyed, and 1 returned. Fails when something could not
// be delivered, but not when nobody reads any more. 0 without a relay. last: gets what the program said last, as
// text, on both of its streams; NULL: not wanted.
int relay_end(struct relay *r, int sfd, char last[RELAY_LAST + 1], struct err *err);

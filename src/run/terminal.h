// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// -t: the program's terminal. The container has a pseudo-terminal of its own, which the runtime makes and
// copies to what it takes for the caller's terminal. That is another one, pinfold's, which the relay copies
// to the caller's: no runtime gets hold of that.
#pragma once

#include "run/relay.h"

#include <termios.h>

struct terminal {
	int master;	 // of ours; -1: there is none
	int caller;	 // the terminal in raw mode, whose settings are kept here; -1: none
	bool known, raw; // saved is; the caller's is raw now
	struct termios saved;
};

#define NO_TERMINAL                        \
	{                                  \
		.master = -1, .caller = -1 \
	}

// Makes the pair, as large as the caller's. input: what the caller says goes there, else nothing.
int terminal_open(bool input, struct streams *ret_streams, struct terminal *ret, struct err *err);

// Makes the caller's terminal raw, if input comes from one: all keys are the program's. A background process
// is stopped here, as any that reads from a terminal.
void terminal_take(struct terminal *t);

// Gives it back as it was. May be said again.
void terminal_give_back(struct terminal *t);

// A signal to this process that is about the terminal: its size, being stopped and going on. True: it is
// dealt with.
bool terminal_signal(struct terminal *t, int number);

// Sends the size of a terminal to pinfold-inside init.
void terminal_send_size(int fd, int sock);

// The program's side sees that its terminal has gone.
void terminal_hang_up(struct terminal *t);

void terminal_done(struct terminal *t);

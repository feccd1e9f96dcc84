// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The host's end of one program of a guest: it stands for the program in the container, with its streams,
// its signals and its exit status, as pinfold-inside init does for a program of the container itself.
#pragma once

#include "inside/vm/vm.h"

struct end {
	struct pump pump;
	int status_fd; // -1: none
	int input;     // until the program is to start; -1: the pump's
	bool terminal, streams;
	uint32_t size; // rows << 16 | columns of the terminal, as they were sent last; 0: not yet
	uint32_t uid, gid;
	char *const *argv; // the program
	bool started, over;
	bool left;     // the guest does not read what was for this program any more
	int code;      // the exit status, when it is over
	uint64_t held; // signals that came before it was started
};

// Those of a command line, from the first word after the command's name. Blocks all signals and takes the streams. 0,
// or the exit status.
int end_options(int argc, char **argv, struct end *ret);
// Makes port, which is its own from here on, and the streams the pump's, but for the input.
int end_open(struct end *e, int port, struct err *err);
// cpus: of the guest, where it is to run; "": everywhere. Only a guest that has a program for it is sent the input, and its end.
int end_start(struct end *e, const char *cpus, struct err *err);
// A frame that is about the program. -EPROTO for any other.
int end_frame(struct end *e, enum frame_type type, const char *text, size_t len, struct err *err);
// A signal that ends a program has come before there is one: it is over, and true.
bool end_before_start(struct end *e, int sig);
// A signal for the program.
int end_signal(struct end *e, int sig, struct err *err);
// What whoever reads the status descriptor is told: "started 1".
void end_say(const struct end *e, const char *fmt, ...) printf_like(2, 3);
// Writes what is left for its streams, as long as somebody reads or until a signal comes; then says how it ended.
// Returns the exit status.
int end_finish(struct end *e, int sfd);

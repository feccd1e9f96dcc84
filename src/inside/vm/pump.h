// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What goes over a virtio-serial port between the two ends of a program that runs in a virtual machine: its
// streams and words about it, in frames.
//
// A frame is a head of 8 bytes, type, stream, two zeros and the length in little-endian order, and that many
// bytes. Data of a stream is sent only as far as the other end has room for it, PUMP_WINDOW bytes at first and
// then as much as it says it has passed on: who does not read one stream keeps neither another nor a
// word from coming. Either end takes the other for hostile: what has no room, no meaning or no end is an error.
#pragma once

#include "base/err.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUMP_STREAMS 3
#define PUMP_WINDOW 65536u
#define PUMP_DATA 16384u    // bytes of data in a frame
#define PUMP_WORD 65536u    // the longest frame that a guest may send
#define PUMP_MAX (1u << 20) // and that a guest takes
#define PUMP_FDS (1 + 2 * PUMP_STREAMS)

enum frame_type {
	FRAME_DATA = 1, // of a stream
	FRAME_MORE,	// 4 bytes: so much more may be sent of a stream
	FRAME_EOF,	// of a stream: that was all
	FRAME_GONE,	// of a stream: nobody takes it any more
	// of the guest
	FRAME_HELLO,   // JSON: its init runs
	FRAME_READY,   // it is set up
	FRAME_STARTED, // the program was executed
	FRAME_FAILED,  // 4 bytes: it could not be, errno
	FRAME_ENDED,   // 4 bytes: its exit status
	// of the host
	FRAME_SETUP,  // JSON: what the guest is
	FRAME_START,  // JSON: the program
	FRAME_SIGNAL, // 4 bytes
	FRAME_SIZE,   // 4 bytes: rows << 16 | columns of its terminal
	// of both, 4 bytes, 0: nothing comes any more of who was there for the program that has ended. The guest's answers
	// the host's, and the port is the next one's then
	FRAME_OVER,
	FRAME_TYPES
};

// A frame that is none of a stream's, text NUL-terminated for convenience.
typedef int (*pump_fn
)(void *arg, enum frame_type type, const char *text, size_t len, struct err *err);

struct pump {
	int port;
	size_t max; // of a frame that comes
	char *in, *out;
	size_t in_len, in_room, out_len, out_room;
	struct {
		int fd; // -1: none, or no longer
		size_t credit;
	} source[PUMP_STREAMS];
	struct {
		int fd;
		bool open, ended; // the other end may send, has said all
		size_t start, len;
		char *buf; // PUMP_WINDOW bytes
	} sink[PUMP_STREAMS];
};

// port: non-blocking, borrowed. max: PUMP_WORD or PUMP_MAX.
void pump_open(struct pump *p, int port, size_t max);
void pump_done(struct pump *p);

// A stream that is read here, or written; the descriptors become the pump's, and non-blocking.
void pump_source(struct pump *p, unsigned stream, int fd);
int pump_sink(struct pump *p, unsigned stream, int fd, struct err *err);

int pump_send(struct pump *p, enum frame_type type, const void *data, size_t len, struct err *err);
int pump_send_number(struct pump *p, enum frame_type type, uint32_t value, struct err *err);
// The number of a frame that has one; -EPROTO.
int pump_number(const char *text, size_t len, uint32_t *ret, struct err *err);

// What to wait for: fills all PUMP_FDS. A reading of sources waits while much has still to be sent.
void pump_wait(const struct pump *p, struct pollfd *fds);
// Does what can be done now. -EPROTO: the other end does not keep to the rules; -EPIPE: it is gone; and what fn
// returns.
int pump_work(struct pump *p, const struct pollfd *fds, pump_fn fn, void *arg, struct err *err);
// Takes from the sources what is there at once, as far as may be sent, and no more than left (bytes of each), which it
// lowers; true when there may be more.
bool pump_drain(struct pump *p, size_t left[static PUMP_STREAMS], struct err *err);
// Nothing is left to be sent, or to be written to a sink.
bool pump_sent(const struct pump *p);
bool pump_written(const struct pump *p);

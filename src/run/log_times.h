// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// When what is in a file of a log was written there: NAME.log.times beside NAME.log, NAME.log.1.times beside
// NAME.log.1. The log itself has nothing in it but what the workload said.
//
// The file is numbers of 64 bits, in the order of this machine: the log's inode, so that nobody takes it for that of
// another while both are renamed; then a stamp for what follows from an offset on, the time above the offset.
// When there are TIMES_MAX of them those that lie closest together go. A time is therefore that of what it
// stands for to a hundredth of a second or, in a log of many small pieces, to a 32768th of the time that it spans.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TIMES_END ".times"
#define TIMES_MAX (1u << 17)

// Makes an empty one for a new file of the log, in place of what has its name. A descriptor, or -1: the log is written without.
int times_make(int dir, const char *log_name, int log);

// The one of a log in its directory, under either of its names. -1: it has none.
int times_open(int dir, const char *log_name, int log, int flags);

// Before what is written next at the end of the log. Without times (-1) nothing is done. ms: since 1970.
void times_stamp(int times, int log, int64_t ms);
int64_t times_now(void);

// For a log of which nothing is left, or that takes the contents of another, both open for reading and writing.
void times_clear(int times);
void times_copy(int from, int to);

// ---- reading

struct times {
	uint64_t *stamps; // by offset
	size_t n;
};

// Those of the log: of no other, and no more than TIMES_MAX. -1: there are none.
int times_read(int times, int log, struct times *ret);
void times_free(struct times *t);

// Since 1970, in milliseconds, of what is at the offset. -1: not known.
int64_t times_of(const struct times *t, off_t offset);

// Where that begins which was written then or later; "end" when there is nothing.
off_t times_since(const struct times *t, int64_t ms, off_t end);

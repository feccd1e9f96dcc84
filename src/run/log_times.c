// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/log_times.h"

#include "base/scope.h"
#include "base/str.h"
#include "run/log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define WORD sizeof(uint64_t)
#define OFFSET_BITS 24 // twice what a file of the log is to have
#define UNIT 10	       // milliseconds

// Only the writer of the log, which has one thread, and who reads it need room for all.
static uint64_t room[TIMES_MAX];

static off_t offset_of(uint64_t stamp)
{
	return (off_t)(stamp & ((1u << OFFSET_BITS) - 1));
}

static uint64_t unit_of(uint64_t stamp)
{
	return stamp >> OFFSET_BITS;
}

int64_t times_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// What it has after its first word, in stamps. -1: it is not of this log.
static ssize_t count(int times, int log)
{
	struct stat st, own;
	uint64_t inode;

	if (fstat(log, &st) < 0 || fstat(times, &own) < 0
	    || pread(times, &inode, WORD, 0) != (ssize_t)WORD || inode != st.st_ino)
		return -1;
	return own.st_size / (off_t)WORD - 1;
}

int times_make(int dir, const char *log_name, int log)
{
	_cleanup_free_ char *file = str_printf("%s" TIMES_END, log_name);
	_cleanup_close_ int fd = -1;
	struct stat st;
	uint64_t inode;

	if (file == NULL || fstat(log, &st) < 0)
		return -1;
	unlinkat(dir, file, 0);
	// not for appending: what has been written is thinned out in its place
	fd = openat(dir, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	inode = st.st_ino;
	if (fd < 0 || pwrite(fd, &inode, WORD, 0) != (ssize_t)WORD)
		return -1;
	return steal_fd(&fd);
}

int times_open(int dir, const char *log_name, int log, int flags)
{
	static const char *const ends[] = {TIMES_END, ".1" TIMES_END};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		_cleanup_free_ char *file = str_printf("%s%s", log_name, ends[i]);
		_cleanup_close_ int fd = -1;

		if (file != NULL)
			fd = openat(dir, file, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && count(fd, log) >= 0)
			return steal_fd(&fd);
	}
	return -1;
}

// Keeps the first of all that lie in the same span of time, the shortest with which half of them are enough.
// A reader that comes between finds some of them twice: each is true.
static size_t thin(int times, size_t n)
{
	ssize_t got = pread(times, room, n * WORD, WORD);

	n = got > 0 ? (size_t)got / WORD : 0;
	for (unsigned shift = 1; n > TIMES_MAX / 2; shift++) {
		size_t kept = 0;

		for (size_t i = 0; i < n; i++) {
			if (kept == 0
			    || unit_of(room[i]) >> shift != unit_of(room[kept - 1]) >> shift)
				room[kept++] = room[i];
		}
		n = kept;
	}
	if (pwrite(times, room, n * WORD, WORD) < 0
	    || ftruncate(times, (off_t)((n + 1) * WORD)) < 0)
		return TIMES_MAX; // no more of them
	return n;
}

void times_stamp(int times, int log, int64_t ms)
{
	uint64_t stamp = (uint64_t)ms / UNIT << OFFSET_BITS, last;
	struct stat st;
	ssize_t n;

	if (times < 0 || ms < 0 || fstat(log, &st) < 0 || st.st_size >> OFFSET_BITS != 0)
		return;
	n = count(times, log);
	if (n < 0)
		return;
	if (n > 0 && pread(times, &last, WORD, n * (off_t)WORD) == (ssize_t)WORD
	    && unit_of(last) == unit_of(stamp))
		return;
	if (n >= TIMES_MAX)
		n = (ssize_t)thin(times, TIMES_MAX);
	stamp |= (uint64_t)st.st_size;
	// on a full disk it is missing, and its time is that of what is before
	if (n < TIMES_MAX && pwrite(times, &stamp, WORD, (n + 1) * (off_t)WORD) < (ssize_t)WORD)
		return;
}

void times_clear(int times)
{
	// else nothing is true of what comes
	if (times >= 0 && ftruncate(times, WORD) < 0 && ftruncate(times, 0) < 0)
		return;
}

void times_copy(int from, int to)
{
	ssize_t n;

	if (from < 0 || to < 0)
		return;
	times_clear(to);
	n = pread(from, room, sizeof(room), WORD);
	if (n > 0 && pwrite(to, room, (size_t)n, WORD) < n)
		times_clear(to);
}

// ---- reading

static int by_offset(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	if (offset_of(x) != offset_of(y))
		return offset_of(x) < offset_of(y) ? -1 : 1;
	return x < y ? -1 : x > y;
}

int times_read(int times, int log, struct times *ret)
{
	ssize_t n = times < 0 ? -1 : count(times, log), got;
	uint64_t *stamps;

	if (n < 0)
		return -1;
	if (n > TIMES_MAX)
		n = TIMES_MAX;
	stamps = malloc(((size_t)n + 1) * WORD);
	if (stamps == NULL)
		return -1;
	got = pread(times, stamps, (size_t)n * WORD, WORD);
	n = got < 0 ? 0 : got / (ssize_t)WORD;
	// two may have written at once, or they were just thinned out
	qsort(stamps, (size_t)n, WORD, by_offset);
	*ret = (struct times){stamps, (size_t)n};
	return 0;
}

void times_free(struct times *t)
{
	free(t->stamps);
	*t = (struct times){0};
}

int64_t times_of(const struct times *t, off_t offset)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (offset_of(t->stamps[middle]) <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? -1 : (int64_t)(unit_of(t->stamps[low - 1]) * UNIT);
}

off_t times_since(const struct times *t, int64_t ms, off_t end)
{
	for (size_t i = 0; i < t->n; i++) {
		if ((int64_t)(unit_of(t->stamps[i]) * UNIT) >= ms / UNIT * UNIT)
			return offset_of(t->stamps[i]);
	}
	return end;
}

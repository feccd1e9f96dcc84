// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What becomes of the output of a detached workload. Only the last of it is kept, so that nobody could read what
// comes faster than the log turns over; and a packet must not wait for a log line. So more than LOG_RATE is not
// written: of what comes faster the latest stays in memory until there is room, and where some is left out the
// log says how much. Once over the rate the pipe is emptied at intervals: the program waits a millisecond at
// most, and this process does not compete with it.

#include "run/log.h"

#include "base/clock.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "base/scope.h"
#include "run/log_times.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define TICK_MS 20 // until there is room for what waits
#define FULL_SECONDS 4
#define FULL_NS (FULL_SECONDS * INT64_C(1000000000)) // then there is room for a burst

static int64_t burst(const struct log_flow *f)
{
	return FULL_SECONDS * f->rate;
}

void log_flow_begin(struct log_flow *f, long rate)
{
	*f = (struct log_flow){.rate = rate, .at = clock_ns()};
	f->room = burst(f);
}

int log_flow_wait(const struct log_flow *f)
{
	return f->len > 0 ? TICK_MS : -1;
}

static void remember(struct log_flow *f, const char *data, size_t len)
{
	size_t end = (f->first + f->len) % LOG_FLOW, part = LOG_FLOW - end;

	if (f->len + len > LOG_FLOW) {
		size_t over = f->len + len - LOG_FLOW;

		f->first = (f->first + over) % LOG_FLOW;
		f->len -= over;
		f->left_out += over;
	}
	if (part > len)
		part = len;
	memcpy(f->data + end, data, part);
	memcpy(f->data, data + part, len - part);
	f->len += len;
}

ssize_t log_flow_read(struct log_flow *f, int from, size_t max)
{
	static char buf[1u << 16]; // what a pipe holds
	ssize_t n;

	if (f->left_out > 0)
		nap_ms(1);
	n = read(from, buf, max < sizeof(buf) ? max : sizeof(buf));
	if (n > 0)
		remember(f, buf, (size_t)n);
	return n;
}

void log_flow_rest(struct log_flow *f, int from)
{
	int left = 0;
	ssize_t n;

	ioctl(from, FIONREAD, &left);
	for (; left > 0 && (n = log_flow_read(f, from, (size_t)left)) > 0; left -= (int)n)
		;
}

void log_flow_write(struct log_flow *f, log_put_fn put, void *arg)
{
	int64_t now = clock_ns(), ns = now - f->at;
	// after days of silence the product would not fit
	int64_t more = ns < FULL_NS ? ns / 1000 * f->rate / 1000000 : burst(f);
	size_t part = LOG_FLOW - f->first;
	char line[96];
	int n = 0;

	f->at = now;
	f->room = f->room + more > burst(f) ? burst(f) : f->room + more;
	if (f->len == 0 || f->room < (int64_t)f->len)
		return;
	if (f->left_out > 0)
		n = snprintf(
			line,
			sizeof(line),
			"\n[pinfold: %llu bytes left out: more than %ld MiB/s]\n",
			(unsigned long long)f->left_out,
			f->rate >> 20
		);
	if (n > 0)
		put(arg, line, (size_t)n);
	if (part > f->len)
		part = f->len;
	put(arg, f->data + f->first, part);
	if (f->len > part)
		put(arg, f->data, f->len - part);
	f->room -= (int64_t)f->len + n;
	f->len = f->left_out = 0;
}

void log_flow_finish(struct log_flow *f, log_put_fn put, void *arg)
{
	log_flow_write(f, put, arg);
	while (f->len > 0) {
		nap_ms(TICK_MS);
		log_flow_write(f, put, arg);
	}
}

// ---- files

// How much could not be written.
static size_t put(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		data += n;
		len -= (size_t)n;
	}
	return len;
}

// What cannot be written (a full disk) is lost: the workload must not wait for it. The log says how much it was when there
// is room again. True: the first since something could be written.
static bool put_or_lose(int fd, const char *data, size_t len, uint64_t *lost)
{
	char line[96];
	uint64_t before = *lost;

	if (before > 0) {
		snprintf(
			line,
			sizeof(line),
			"\n[pinfold: %llu bytes lost: the log could not be written]\n",
			(unsigned long long)before
		);
		if (put(fd, line, strlen(line)) > 0) {
			*lost += len;
			return false;
		}
	}
	*lost = put(fd, data, len);
	return *lost > 0 && before == 0;
}

// There is a NAME.log at every moment: the new file takes its place in exchange for the full one. Where
// a file system cannot do that, the full one is lost.
static void rotate(struct log *log)
{
	_cleanup_free_ char *old = str_printf("%s.1", log->name);
	_cleanup_free_ char *times = str_printf("%s.1" TIMES_END, log->name);
	const char *ends[] = {"", TIMES_END};

	scope_close(&log->file);
	scope_close(&log->times);
	log->file = log->times = -1;
	if (old == NULL || times == NULL)
		return;
	unlinkat(log->dir, times, 0); // before the number of its file is used again
	unlinkat(log->dir, old, 0);
	log->file = log_new_file(log->dir, old);
	if (log->file < 0)
		return;
	log->times = times_make(log->dir, old, log->file);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		_cleanup_free_ char *from = str_printf("%s%s", old, ends[i]);
		_cleanup_free_ char *to = str_printf("%s%s", log->name, ends[i]);

		if (from != NULL && to != NULL
		    && renameat2(log->dir, from, log->dir, to, RENAME_EXCHANGE) < 0)
			renameat(log->dir, from, log->dir, to);
	}
}

// Whether it is time for another file: others write there, too.
static bool is_full(int file, size_t len)
{
	struct stat st;

	return fstat(file, &st) == 0 && st.st_size + (off_t)len > LOG_BYTES - LOG_WORDS;
}

struct files {
	struct log *log;
	uint64_t lost;
};

static void put_rotating(void *arg, const char *data, size_t len)
{
	struct files *f = arg;

	if (is_full(f->log->file, len))
		rotate(f->log);
	times_stamp(f->log->times, f->log->file, times_now());
	if (put_or_lose(f->log->file, data, len, &f->lost))
		event_log(
			"the log '" LOG_DIR "/%s' cannot be written, and what is said is lost: %s",
			f->log->name,
			strerror(errno)
		);
}

void log_write(struct log *log)
{
	struct files files = {.log = log};
	static struct log_flow flow;

	log_flow_begin(&flow, LOG_RATE);
	for (;;) {
		struct pollfd p = {.fd = log->from, .events = POLLIN};

		log_flow_write(&flow, put_rotating, &files);
		if (poll(&p, 1, log_flow_wait(&flow)) > 0
		    && log_flow_read(&flow, log->from, SIZE_MAX) == 0)
			break;
	}
	log_flow_finish(&flow, put_rotating, &files);
}

void log_pair_close(struct log_pair *p)
{
	scope_close(&p->now);
	scope_close(&p->before);
	scope_close(&p->now_times);
	scope_close(&p->before_times);
	*p = (struct log_pair)NO_LOG_PAIR;
}

bool log_append(struct log_pair *files, const char *data, size_t len)
{
	static char buf[65536];
	off_t from = 0;
	ssize_t n;

	// both are opened for appending, which sendfile(2) does not do
	if (is_full(files->now, len) && ftruncate(files->before, 0) == 0
	    && lseek(files->before, 0, SEEK_SET) == 0) {
		times_clear(files->before_times); // they are of what was there
		for (; (n = pread(files->now, buf, sizeof(buf), from)) > 0; from += n)
			put(files->before, buf, (size_t)n);
		times_copy(files->now_times, files->before_times);
		if (ftruncate(files->now, 0) < 0)
			return false; // no more than the limit, whatever is lost
		times_clear(files->now_times);
	}
	times_stamp(files->now_times, files->now, times_now());
	return put_or_lose(files->now, data, len, &files->lost);
}

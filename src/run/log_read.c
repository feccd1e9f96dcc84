// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Reading the log of a detached workload, also while it is written.

#include "run/log.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "run/log_times.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define TICK_MS 100

// An owner shares the files' positions with others.
struct reader {
	int fd, times; // times: -1: none
	off_t at;
};

struct output {
	FILE *to;
	bool times, within;   // a line has been begun
	unsigned char former; // byte of it
	unsigned more;	      // that many bytes of its character are to come
};

static void put_time(struct output *o, int64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	char text[32] = "";
	struct tm tm;

	if (ms >= 0 && gmtime_r(&t, &tm) != NULL)
		strftime(text, sizeof(text), "%FT%T", &tm);
	if (text[0] == '\0')
		fputs("- ", o->to);
	else
		fprintf(o->to, "%s.%02dZ ", text, (int)(ms % 1000 / 10));
}

// What would move a terminal's cursor could write another time over that of a line, or a line where none is: of
// control characters, also those of two bytes from U+0080 on, it is not shown more than that they are there.
static void put_line(struct output *o, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];
		bool shown;

		if (c == '\r')
			continue; // what is printed next to each other is looked at
		if (c < 0x80) {
			shown = (c >= ' ' && c != 0x7f) || c == '\t' || c == '\n';
			o->more = 0;
		} else if (c < 0xc0) { // of UTF-8, or a control character of one byte
			shown = o->more > 0 && (o->former != 0xc2 || c >= 0xa0);
			o->more -= o->more > 0;
		} else {
			shown = c >= 0xc2 && c < 0xf5;
			o->more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		}
		o->former = c;
		putc(shown ? c : '?', o->to);
	}
}

static void put_lines(
	struct output *o, const struct times *t, off_t at, const char *data, size_t len
)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end != NULL ? (size_t)(end - data) + 1 : len;

		if (!o->within)
			put_time(o, times_of(t, at));
		put_line(o, data, n);
		o->within = end == NULL;
		data += n;
		at += (off_t)n;
		len -= n;
	}
}

// A stamp is written before what it stands for: those that are read after the size was are all that there are.
static int copy_rest(struct reader *r, struct output *o, struct err *err)
{
	scope_cleanup(times_free) struct times times = {0};
	char buf[65536];
	struct stat st;
	ssize_t n = 0;

	if (fstat(r->fd, &st) < 0)
		return err_sys(err, errno, "read the log");
	if (o->times && r->at < st.st_size && times_read(r->times, r->fd, &times) < 0)
		times = (struct times){0};
	while (r->at < st.st_size && (n = pread(r->fd, buf, sizeof(buf), r->at)) > 0) {
		if (n > st.st_size - r->at)
			n = st.st_size - r->at;
		if (o->times)
			put_lines(o, &times, r->at, buf, (size_t)n);
		else
			fwrite(buf, 1, (size_t)n, o->to);
		r->at += n;
		if (ferror(o->to))
			return err_set(err, EIO, "write the log");
	}
	fflush(o->to);
	return n < 0 ? err_sys(err, errno, "read the log") : 0;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev
	       && x.st_ino == y.st_ino;
}

// Where the log of a name is. given: of an owner, who may not open it.
struct place {
	char *path, *old;
	const struct log_pair *given; // NULL: none
};

static int copy_fd(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void reader_close(struct reader *r)
{
	scope_close(&r->fd);
	scope_close(&r->times);
	r->fd = r->times = -1;
}

static struct reader open_reader(const struct place *p, bool old)
{
	struct reader r = {-1, -1, 0};

	if (p->given != NULL) {
		r.fd = copy_fd(old ? p->given->before : p->given->now);
		r.times = copy_fd(old ? p->given->before_times : p->given->now_times);
		return r;
	}
	r.fd = open(old ? p->old : p->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (r.fd >= 0)
		r.times = times_open(AT_FDCWD, p->path, r.fd, O_RDONLY);
	return r;
}

// Goes on in a new file when the old one has been put away. What is in between, if the workload was
// faster than the reader, is read first.
static int next_file(const struct place *p, struct reader *r, struct output *o, struct err *err)
{
	scope_cleanup(reader_close) struct reader now = {-1, -1, 0}, before = now;

	if (p->given == NULL)
		now = open_reader(p, false);
	if (now.fd < 0 || same_file(now.fd, r->fd))
		return 0;
	before = open_reader(p, true);
	if (copy_rest(r, o, err) < 0)
		return -err->code;
	if (before.fd >= 0 && !same_file(before.fd, r->fd) && !same_file(before.fd, now.fd)
	    && copy_rest(&before, o, err) < 0)
		return -err->code;
	reader_close(r);
	*r = now;
	now = (struct reader){-1, -1, 0};
	return copy_rest(r, o, err);
}

// Goes on at the begin of a log that log_append has emptied, after what it put away of it.
static int begin_again(const struct place *p, struct reader *r, struct output *o, struct err *err)
{
	scope_cleanup(reader_close) struct reader before = {-1, -1, 0};
	struct stat st;

	if (fstat(r->fd, &st) < 0 || st.st_size >= r->at)
		return 0;
	before = open_reader(p, true);
	before.at = r->at;
	if (before.fd >= 0 && copy_rest(&before, o, err) < 0)
		return -err->code;
	r->at = 0;
	return 0;
}

// Where the last *lines lines of a file begin; *lines becomes how many are to come from what was before it. A line that is
// not ended yet is one.
static off_t find_tail(int fd, unsigned long *lines)
{
	struct stat st;
	char buf[4096], byte;
	off_t at = fstat(fd, &st) == 0 ? st.st_size : 0;
	bool unended = at > 0 && pread(fd, &byte, 1, at - 1) == 1 && byte != '\n';
	// the newline before them is looked for, and the one at the end is none
	unsigned long left = *lines + (unended ? 0 : 1);

	while (at > 0 && left > 0) {
		off_t from = at > (off_t)sizeof(buf) ? at - (off_t)sizeof(buf) : 0;
		ssize_t n = pread(fd, buf, (size_t)(at - from), from);

		if (n <= 0)
			return at;
		for (; n > 0; n--, at--) {
			if (buf[n - 1] == '\n' && --left == 0)
				break;
		}
	}
	*lines = left > 0 && at == 0 ? left - 1 : 0;
	return at;
}

// Where the line begins that has the byte before "at".
static off_t line_begin(int fd, off_t at)
{
	char buf[4096];

	while (at > 0) {
		off_t from = at > (off_t)sizeof(buf) ? at - (off_t)sizeof(buf) : 0;
		ssize_t n = pread(fd, buf, (size_t)(at - from), from);

		if (n <= 0)
			return at;
		for (; n > 0; n--, at--) {
			if (buf[n - 1] == '\n')
				return at;
		}
	}
	return 0;
}

// Moves the readers to where what was said since then begins, with the whole of its first line. Nothing that lies
// before is needed of "before" when it begins in the other: false.
static int find_since(
	const char *name,
	struct reader *before,
	struct reader *now,
	int64_t ms,
	bool *ret_before,
	struct err *err
)
{
	scope_cleanup(times_free) struct times old = {0}, t = {0};
	struct stat st;
	off_t at;

	if (fstat(now->fd, &st) < 0 || times_read(now->times, now->fd, &t) < 0)
		return err_set(
			err,
			ENODATA,
			"logs --since of '%s': when its lines were written is not known; leave "
			"--since "
			"out, or see --tail",
			name
		);
	*ret_before = false;
	at = times_since(&t, ms, st.st_size);
	if (before->fd >= 0 && times_read(before->times, before->fd, &old) == 0) {
		struct stat old_st;
		off_t old_at =
			fstat(before->fd, &old_st) == 0 ? times_since(&old, ms, old_st.st_size) : 0;

		if (old_at < old_st.st_size) {
			before->at = line_begin(before->fd, old_at);
			*ret_before = true;
			return 0;
		}
	}
	now->at = at < st.st_size ? line_begin(now->fd, at) : at;
	return 0;
}

// Moves the readers to where the wish has them begin. Says whether anything is wanted of the former file.
static int find_begin(
	const struct log_wish *w,
	const char *name,
	struct reader *before,
	struct reader *now,
	bool *ret_before,
	struct err *err
)
{
	bool tail_before = before->fd >= 0, since_before = tail_before;
	unsigned long lines = w->tail != NULL ? *w->tail : 0;
	off_t at;

	if (w->since != NULL && find_since(name, before, now, *w->since, &since_before, err) < 0)
		return -err->code;
	if (w->tail != NULL) {
		at = find_tail(now->fd, &lines);
		now->at = at > now->at ? at : now->at;
		tail_before = tail_before && lines > 0;
		at = tail_before ? find_tail(before->fd, &lines) : 0;
		before->at = at > before->at ? at : before->at;
	}
	*ret_before = tail_before && since_before;
	return 0;
}

int log_copy(
	const struct ledger *l,
	const char *name,
	const struct log_pair *given,
	const struct log_wish *wish,
	FILE *out,
	struct err *err
)
{
	_cleanup_free_ char *path = str_printf(LOG_DIR "/%s.log", name);
	_cleanup_free_ char *old = str_printf(LOG_DIR "/%s.log.1", name);
	const struct place p = {path, old, given};
	scope_cleanup(reader_close) struct reader r = {-1, -1, 0}, before = r;
	struct output o = {.to = out, .times = wish->times};
	bool last = wish->alive == NULL, with_before = false;
	int e;

	if (path == NULL || old == NULL)
		return err_oom(err);
	r = open_reader(&p, false);
	if (r.fd < 0)
		return err_sys(
			err,
			errno,
			"logs of '%s': none; only workloads started with -d have some",
			name
		);
	before = open_reader(&p, true);
	if (before.fd >= 0 && same_file(before.fd, r.fd))
		reader_close(&before);
	e = find_begin(wish, name, &before, &r, &with_before, err);
	if (e == 0 && with_before)
		e = copy_rest(&before, &o, err);
	while (e == 0) {
		if (begin_again(&p, &r, &o, err) < 0 || copy_rest(&r, &o, err) < 0
		    || next_file(&p, &r, &o, err) < 0)
			e = -err->code;
		if (e < 0 || last)
			break;
		last = !wish->alive(l, name); // once more, for what came before the end
		nap_ms(TICK_MS);
	}
	return e;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Reading the log of a detached workload, also while it is written.

#include "run/log.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TICK_MS 100

// An owner shares the files' positions with others.
struct reader {
	int fd;
	off_t at;
};

static int copy_rest(struct reader *r, FILE *out, struct err *err)
{
	char buf[65536];
	ssize_t n;

	while ((n = pread(r->fd, buf, sizeof(buf), r->at)) > 0) {
		r->at += n;
		if (fwrite(buf, 1, (size_t)n, out) != (size_t)n)
			return err_set(err, EIO, "write the log");
	}
	fflush(out);
	return n < 0 ? err_sys(err, errno, "read the log") : 0;
}

static int copy_file(int fd, off_t at, FILE *out, struct err *err)
{
	struct reader r = {fd, at};

	return copy_rest(&r, out, err);
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
	const int *given; // NAME.log and NAME.log.1, NULL: none
};

static int open_old(const struct place *p)
{
	return p->given != NULL ? fcntl(p->given[1], F_DUPFD_CLOEXEC, 0)
				: open(p->old, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

// Goes on in a new file when the old one has been put away. What is in between, if the workload was
// faster than the reader, is read first.
static int next_file(const struct place *p, struct reader *r, FILE *out, struct err *err)
{
	_cleanup_close_ int now =
		p->given != NULL ? -1 : open(p->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_close_ int before = now < 0 ? -1 : open_old(p);

	if (now < 0 || same_file(now, r->fd))
		return 0;
	if (copy_rest(r, out, err) < 0)
		return -err->code;
	if (before >= 0 && !same_file(before, r->fd) && !same_file(before, now)
	    && copy_file(before, 0, out, err) < 0)
		return -err->code;
	scope_close(&r->fd);
	*r = (struct reader){steal_fd(&now), 0};
	return copy_rest(r, out, err);
}

// Goes on at the begin of a log that log_append has emptied, after what it put away of it.
static int begin_again(const struct place *p, struct reader *r, FILE *out, struct err *err)
{
	_cleanup_close_ int before = -1;
	struct stat st;

	if (fstat(r->fd, &st) < 0 || st.st_size >= r->at)
		return 0;
	before = open_old(p);
	if (before >= 0 && copy_file(before, r->at, out, err) < 0)
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

int log_copy(
	const struct ledger *l,
	const char *name,
	const int *given,
	const unsigned long *tail,
	log_alive_fn alive,
	FILE *out,
	struct err *err
)
{
	_cleanup_free_ char *path = str_printf(LOG_DIR "/%s.log", name);
	_cleanup_free_ char *old = str_printf(LOG_DIR "/%s.log.1", name);
	const struct place p = {path, old, given};
	_cleanup_close_ int before = -1;
	unsigned long lines = tail != NULL ? *tail : 0;
	struct reader r = {-1, 0};
	bool last = alive == NULL;
	int e = 0;

	if (path == NULL || old == NULL)
		return err_oom(err);
	r.fd = given != NULL ? fcntl(given[0], F_DUPFD_CLOEXEC, 0)
			     : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (r.fd < 0)
		return err_sys(
			err,
			errno,
			"logs of '%s': none; only workloads started with -d have some",
			name
		);
	before = open_old(&p);
	if (tail != NULL)
		r.at = find_tail(r.fd, &lines);
	if (before >= 0 && !same_file(before, r.fd) && (tail == NULL || lines > 0))
		e = copy_file(before, tail != NULL ? find_tail(before, &lines) : 0, out, err);
	while (e == 0) {
		if (begin_again(&p, &r, out, err) < 0 || copy_rest(&r, out, err) < 0
		    || next_file(&p, &r, out, err) < 0)
			e = -err->code;
		if (e < 0 || last)
			break;
		last = !alive(l, name); // once more, for what came before the end
		nap_ms(TICK_MS);
	}
	scope_close(&r.fd);
	return e;
}

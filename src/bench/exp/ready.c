// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/exp/ready.h"

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/bench.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define TEXT 65536

// What a program prints, as it comes.
struct printed {
	char text[TEXT];
	size_t n;
	bool end;
};

// More of it, or until the time. Fails at ctrl-C.
static int more(const struct child *c, int64_t until_ms, struct printed *p, struct err *err)
{
	struct pollfd fd = {.fd = c->out, .events = POLLIN};
	int64_t left = until_ms - clock_ms();
	ssize_t got;

	if (bench_check(err) < 0)
		return -err->code;
	if (left <= 0)
		return err_set(err, ETIMEDOUT, "%s: not ready in time", c->what);
	if (poll(&fd, 1, (int)left) <= 0)
		return 0;
	// of a program that says very much the begin is enough
	if (p->n == TEXT - 1)
		p->n = 0;
	got = read(c->out, p->text + p->n, TEXT - 1 - p->n);
	p->end = got <= 0;
	if (got > 0)
		p->n += (size_t)got;
	p->text[p->n] = '\0';
	return 0;
}

static void last_line(struct printed *p, char *buf, size_t len)
{
	char *line;

	while (p->n > 0 && strchr("\r\n ", p->text[p->n - 1]) != NULL)
		p->text[--p->n] = '\0';
	line = strrchr(p->text, '\n');
	snprintf(buf, len, "%.500s", line != NULL ? line + 1 : p->text);
	str_plain(buf);
}

int ready_word(struct child *c, const char *word, unsigned milliseconds, struct err *err)
{
	_cleanup_free_ struct printed *p = calloc(1, sizeof(*p));
	int64_t until = clock_ms() + milliseconds;
	char line[512];

	if (p == NULL)
		return err_oom(err);
	do {
		if (more(c, until, p, err) < 0)
			return -err->code;
	} while (!p->end && strstr(p->text, word) == NULL);
	if (!p->end)
		return 0;
	last_line(p, line, sizeof(line));
	return err_set(err, EIO, "%s: ended: %s", c->what, line);
}

static int watch(
	struct bench *b,
	struct child *c,
	const char *word,
	unsigned milliseconds,
	struct printed *p,
	struct ready *ret,
	struct err *err
)
{
	int64_t until = clock_ms() + milliseconds;
	bool said = false;
	char line[512];

	while (!p->end) {
		if (more(c, until, p, err) < 0)
			return -err->code;
		if (!said && strstr(p->text, word) != NULL) {
			said = true;
			ret->ready_ms = (double)(clock_ns() - c->began_ns) / 1e6;
		}
	}
	if (child_wait(b, c, milliseconds, err) < 0)
		return -err->code;
	ret->end_ms = (double)(clock_ns() - c->began_ns) / 1e6;
	if (said && c->status == 0)
		return 0;
	last_line(p, line, sizeof(line));
	return err_set(err, EIO, "%s: ended with status %d: %s", c->what, c->status, line);
}

int ready_time(
	struct bench *b,
	const struct child_how *how,
	const char *word,
	unsigned milliseconds,
	struct ready *ret,
	char **ret_text,
	struct err *err
)
{
	_cleanup_free_ struct printed *p = calloc(1, sizeof(*p));
	struct child_how h = *how;
	struct ready found = {0};
	struct child c;
	int r;

	if (p == NULL)
		return err_oom(err);
	h.stdout_pipe = h.stderr_too = true;
	if (child_start(b, &h, &c, err) < 0)
		return -err->code;
	r = watch(b, &c, word, milliseconds, p, &found, err);
	child_stop(b, &c, 5000);
	if (r < 0)
		return r;
	*ret = found;
	if (ret_text != NULL)
		*ret_text = strdup(p->text);
	return 0;
}

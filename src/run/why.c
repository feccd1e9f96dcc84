// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Why a program failed at its start, from what it said last.

#include "run/why.h"

#include "base/scope.h"
#include "base/str.h"
#include "explain/explain.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_MILLISECONDS 60000 // a program that fails so soon has failed to start

// The end of a log, which goes on from start to start: from pinfold's own last word there, which follows each end, too.
static const char *read_last(const struct log *log, char ret[static RELAY_LAST + 1])
{
	_cleanup_close_ int fd = openat(log->dir, log->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const char *from = ret, *own;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return "";
	n = pread(fd, ret, RELAY_LAST, st.st_size > RELAY_LAST ? st.st_size - RELAY_LAST : 0);
	ret[n > 0 ? n : 0] = '\0';
	while ((own = strstr(from, "\npinfold: '")) != NULL)
		from = own + 1;
	return from;
}

void why_it_failed(struct outcome *out, const struct log *log, int64_t ran_ms)
{
	static const int told[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	const struct known_message *m;
	const char *said = out->last;

	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		if (out->status == 128 + told[i])
			return;
	}
	// it may have an end of its own for the signal
	if (out->told || !out->program_ran || out->status == 0 || out->note[0] != '\0'
	    || ran_ms > FIRST_MILLISECONDS)
		return;
	if (log->dir >= 0 && log->name != NULL)
		said = read_last(log, out->last);
	m = explain_text(said);
	if (m != NULL)
		snprintf(
			out->note,
			sizeof(out->note),
			"why it failed: %s; cure: %s",
			m->cause,
			m->cure
		);
}

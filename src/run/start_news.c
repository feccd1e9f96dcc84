// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "run/start_news.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

_Static_assert(sizeof(struct news) <= PIPE_BUF, "a write of it is all or nothing");

void news_tell(int fd, const struct news *n)
{
	if (fd >= 0 && write(fd, n, sizeof(*n)) < 0)
		return;
}

int news_hear(int fd, struct news *ret)
{
	ssize_t n;

	do {
		n = read(fd, ret, sizeof(*ret));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*ret);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/write.h"

#include <errno.h>
#include <unistd.h>

int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int write_once(int fd, const char *data, size_t len)
{
	ssize_t n = write(fd, data, len);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is at a URL, by pinfold-fetch: a process without rights, since it reads what a stranger's server says.
#pragma once

#include "base/err.h"

#include <stddef.h>

// *ret is to be freed, NUL-terminated, of *ret_len bytes, at most max. It takes at most seconds and a little.
int fetch_url(
	const char *url, size_t max, unsigned seconds, char **ret, size_t *ret_len, struct err *err
);

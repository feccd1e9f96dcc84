// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A directory for each test of a file: cmocka_unit_test_setup_teardown(test, setup, teardown).
#pragma once

#include "unit.h"

#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

// Its path, and a descriptor on it.
static char top[64];
static int topfd = -1;

static int setup(void **)
{
	snprintf(top, sizeof(top), "/tmp/pinfold-unit-XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	topfd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return topfd < 0 ? -1 : 0;
}

static int teardown(void **)
{
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	close(topfd);
	return fs_remove_tree(tmp, strrchr(top, '/') + 1, &err);
}

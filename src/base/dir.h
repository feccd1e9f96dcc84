// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Directories, entry by entry.
#pragma once

#include <dirent.h>

// Of a descriptor, which it takes over, also where it returns NULL, with errno. Of -1: NULL, errno as it was.
DIR *dir_take(int fd);

// Below dirfd, "." for itself; flags: O_NOFOLLOW. NULL with errno.
DIR *dir_open(int dirfd, const char *name, int flags);

// The next entry but "." and "..". NULL at the end, with errno 0, or with errno. NULL has none.
struct dirent *dir_next(DIR *d);

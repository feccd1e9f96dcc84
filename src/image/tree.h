// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Writing the files of an image below an empty directory.
#pragma once

#include "base/err.h"
#include "image/entries.h"

// The links /bin, /lib and so on as this machine has them: they belong to every image.
int tree_base(struct entries *s, struct err *err);

// Writes the files and links, owned by root, without setuid and setgid bits, and what every root
// file system has: mount points, a minimal /etc, the cache of the dynamic loader. root: the
// directory; path: its name, for ldconfig. Ends with EINTR when SIGINT, SIGTERM or SIGHUP is
// pending.
int tree_write(int root, const char *path, const struct entries *s, struct err *err);

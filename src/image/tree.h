// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Writing the files of an image below an empty directory.
#pragma once

#include "base/err.h"
#include "image/entries.h"
#include "image/ldconf.h"

// The links /bin, /lib and so on as this machine has them: they belong to every image.
int tree_base(struct entries *s, struct err *err);

// Writes the files and links, owned by root, without setuid and setgid bits, and what every root
// file system has: mount points, a minimal /etc, the cache of the dynamic loader. root: the
// directory, which nobody else can change. Ends with EINTR when SIGINT, SIGTERM or SIGHUP is pending.
int tree_write(int root, const struct entries *s, const struct ldconf *conf, struct err *err);

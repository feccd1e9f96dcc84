// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The cache of the dynamic loader, /etc/ld.so.cache, made for an image from the names of its files:
// without it the loader looks in its own folders only. Format: sysdeps/generic/dl-cache.h of glibc,
// "glibc-ld.so.cache1.1", since 2.33 with an extension for libraries of newer CPUs.
#pragma once

#include "base/err.h"
#include "image/entries.h"
#include "image/ldconf.h"

// *ret is to be freed; NULL with *ret_len 0 when the image has no library in a folder of the list.
int cache_make(
	const struct entries *s,
	const struct ldconf *conf,
	char **ret,
	size_t *ret_len,
	struct err *err
);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The files and links an image will have. A path of this machine is taken with every symbolic link
// on its way kept as a link, so that two names of one library stay one file: EAL panics when a
// driver registers a second time from a copy.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct entry {
	char *path;	// in the image, from "/", free of links but perhaps the last
	char *link;	// a link's text; NULL: a file
	uint64_t bytes; // of a file
	bool scanned;	// its libraries were taken
};

struct entries {
	struct entry *v;
	size_t n;
};

void entries_done(struct entries *s);
#define _cleanup_entries_ __attribute__((cleanup(entries_done)))

// Takes a file of this machine with the links that lead to it. path starts with "/".
int entries_take(struct entries *s, const char *path, struct err *err);

// A link that this machine does not have. What is there already stays as it is.
int entries_link(struct entries *s, const char *path, const char *text, struct err *err);

// NULL if it is not there.
const struct entry *entries_find(const struct entries *s, const char *path);

// By path.
void entries_sort(struct entries *s);

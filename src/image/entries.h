// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The files and links an image will have. A path of this machine is taken with every symbolic link
// on its way kept as a link, so that two names of one library stay one file: EAL panics when a
// driver registers a second time from a copy.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

// Which file was looked at: another one at its path, or a changed one, is not taken for it.
struct file_id {
	dev_t dev;
	ino_t ino;
	struct timespec changed;
};

struct entry {
	char *path;	   // in the image, from "/", free of links but perhaps the last
	char *link;	   // a link's text; NULL: a file
	uint64_t bytes;	   // of a file
	struct file_id id; // of a file
	bool scanned;	   // its libraries were taken
};

struct entries {
	struct entry *v;
	size_t n;
	// directories on the way to what the operator named that are closed to other users
	char **closed;
	size_t nclosed;
};

// Why a file is taken. The copy in an image has no closed directory above it, so only what the
// operator named may lie in one, and libraries that lie beside it.
enum take {
	TAKE_NAMED,
	TAKE_LIBRARY,
	TAKE_INTERPRETER,
};

void entries_done(struct entries *s);
#define _cleanup_entries_ __attribute__((cleanup(entries_done)))

// Takes a regular file of this machine with the links that lead to it. path starts with "/". by: the
// file that needs it, for messages. *ret (may be NULL): its index.
int entries_take(
	struct entries *s,
	const char *path,
	enum take why,
	const char *by,
	size_t *ret,
	struct err *err
);

// Opens the file of an entry for reading; one that is no longer the one that was taken is an error.
int entries_open(const struct entry *e, struct err *err);
// Whether the open file still is what it was.
int entries_check(const struct entry *e, int fd, struct err *err);

// Whether a descriptor, of O_PATH too, stands for a file that lies on a disk or in memory. Files of the
// kernel are regular by their mode, and reading one (/proc/kmsg) can do something.
bool file_is_regular(int fd, const struct stat *st);

// A link that this machine does not have. What is there already stays as it is.
int entries_link(struct entries *s, const char *path, const char *text, struct err *err);

// NULL if it is not there.
const struct entry *entries_find(const struct entries *s, const char *path);

// By path.
void entries_sort(struct entries *s);

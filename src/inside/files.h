// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Small files and directories of /proc and /sys, read as the process sees them: in a container that
// is the view it was given, so nothing here takes a missing file for an error.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Names, sorted as a person would (a2 before a10).
struct names {
	char **v;
	size_t n;
};

void names_done(struct names *s);
#define _cleanup_names_ __attribute__((cleanup(names_done)))

void names_add(struct names *s, const char *name);     // a copy; out of memory drops it
void names_add_new(struct names *s, const char *name); // unless it is there already
void names_sort(struct names *s);

// The entries of a directory that start with prefix ("" for all), but no dot files.
struct names names_of_dir(const char *path, const char *prefix);

// The interfaces of this process's network namespace, without a socket of netlink's.
struct names names_of_netdevs(void);

// The first line of a file without its newline, "" if it cannot be read. Returns buf.
char *line_of(const char *path, char *buf, size_t len);

// The number in a file, 0 if there is none.
uint64_t number_of(const char *path);

// The value of "Key:<white space>value" in a file such as /proc/self/status. Returns buf, "" if it
// is not there.
char *value_of(const char *path, const char *key, char *buf, size_t len);

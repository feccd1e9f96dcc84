// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The synthetic /sys and /proc: what a program that looks around should find, which is its grant and
// no more. A view is a value: directories, files, links and the places where real entries of the host
// are bound in. It is hygiene: programs that look make the right choice. It confines nothing.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "host/host.h"

enum view_kind {
	VIEW_DIR = 0, // value unused
	VIEW_FILE,    // value: content
	VIEW_LINK,    // value: target
	VIEW_BIND,    // an empty directory with the host's `value` bound over it, read-only
};

struct view_entry {
	enum view_kind kind;
	char *path; // relative to the top of the view: "cpu/online"
	char *value;
};

// A subtree of the view and the place it covers: "cpu" over "/sys/devices/system/cpu".
struct view_cover {
	const char *path;
	const char *over;
};

#define VIEW_COVERS 8

struct view {
	unsigned n, room;
	struct view_entry *entries; // parents before children
	unsigned ncovers;
	struct view_cover covers[VIEW_COVERS];
	bool failed; // memory ran out while it grew
};

// Builds the whole view. Reads through fs only what struct host does not hold (/proc/cpuinfo).
int view_build(
	const struct grant *g,
	const struct host *host,
	const struct hostfs *fs,
	struct view *ret,
	struct err *err
);
void view_done(struct view *v);

// ---- the parts, each in a file of its own

void view_cpu(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
);
void view_node(struct view *v, const struct grant *g, const struct host *host);
void view_hugepages(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
);
void view_pci(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
);
int view_proc(
	struct view *v,
	const struct grant *g,
	const struct host *host,
	const struct hostfs *fs,
	struct err *err
);

// The blocks of /proc/cpuinfo that are of these processors. A block is the lines up to an empty one; on
// x86 it starts with "processor\t: N". What belongs to no processor (other architectures) is kept. A
// new string, NULL when memory is out.
char *view_filter_cpuinfo(const char *text, const struct idset *mine);

// Appends an entry; the value is owned by the view from here on.
void view_add(struct view *v, enum view_kind kind, char *value, const char *path_fmt, ...)
	__attribute__((format(printf, 4, 5)));
// Appends a file with formatted content.
void view_file(struct view *v, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
// Says that a subtree covers a place, if the host has that place.
void view_cover(struct view *v, const struct hostfs *fs, const char *path, const char *over);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The synthetic /sys and /proc: what a program that looks around should find, which is its grant and
// no more. A view is a value: directories, files, links and the places where real entries of the host
// are bound in. It is hygiene: programs that look make the right choice. It confines nothing.
//
// In a container the tree "sys" is all there is of /sys: what is not in it does not exist there. On the
// bare host only parts of the real /sys are covered. Of /proc only single files can be covered.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "host/host.h"

enum view_kind {
	VIEW_DIR = 0, // no value
	VIEW_FILE,    // value: content
	VIEW_LINK,    // value: target
	VIEW_BIND, // an empty directory with the host's of the same path bound over it, read-only
		   // (no value)
};

struct view_entry {
	enum view_kind kind;
	char *path; // as below "/", without the slash: "sys/devices/system/cpu/online"
	char *value;
};

// An entry of the view that covers the place of the same path: "proc/meminfo".
struct view_cover {
	const char *path;
	const char
		*from; // a file of the host that covers it instead, absolute; NULL: the view's own
};

#define VIEW_COVERS 12

struct view {
	bool whole; // "sys" is all of the workload's /sys, and no cover lies below it
	unsigned n, room;
	struct view_entry *entries; // parents before children
	unsigned ncovers;
	struct view_cover covers[VIEW_COVERS];
	bool failed; // memory ran out while it grew
};

// Builds the view of a container (whole) or of a workload on the bare host. Reads through fs only what
// struct host does not hold.
int view_build(
	const struct grant *g,
	const struct host *host,
	const struct hostfs *fs,
	bool whole,
	struct view *ret,
	struct err *err
);
void view_done(struct view *v);

// ---- the parts, each in a file of its own

void view_cpu(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
);
void view_node(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
);
void view_hugepages(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
);
void view_pci(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
);
void view_proc(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
);

// The whole /proc/stat of a machine that has these processors and has done nothing since it started, at
// the time that the host's /proc/stat (text) says. A new string, NULL when memory is out.
char *view_idle_stat(const char *text, const struct idset *mine);

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
// Appends the directory, and before it those above, as far as they are not there yet.
void view_dirs(struct view *v, const char *path);
// Appends a directory of the host.
void view_bind(struct view *v, const char *path_fmt, ...) __attribute__((format(printf, 2, 3)));
// Appends a file with the content that the host's of the same path has, and the directories above it;
// nothing if the host has none or it is there already.
void view_copy(struct view *v, const struct hostfs *fs, const char *path);
// Says that an entry covers its place, if the host has that place.
void view_cover(struct view *v, const struct hostfs *fs, const char *path);
// Says that another file of the host, which is there, covers the place.
void view_cover_from(struct view *v, const struct hostfs *fs, const char *path, const char *from);

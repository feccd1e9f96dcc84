// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the dynamic loader would load for a program, found by its rules (ld.so(8)) without running it.
#pragma once

#include "base/err.h"
#include "image/elf.h"
#include "image/entries.h"
#include "image/ldconf.h"

// Kinds of CPU for which a folder can have a second version of its libraries, the newest first. The
// image gets all that are there, and the first version: it may go to another machine.
#define SEARCH_HWCAPS "glibc-hwcaps/"
extern const char *const search_hwcaps[3];

// Takes the libraries of the file at an index of the set, and what those need. f is its content; its
// lists are taken over. loader: the path of the machine's dynamic loader.
int search_libraries(
	struct entries *s,
	const struct ldconf *conf,
	const char *loader,
	size_t file,
	struct elf_file *f,
	struct err *err
);

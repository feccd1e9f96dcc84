// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a program is and needs, read from its file (ELF: System V ABI, "Object Files" and "Dynamic
// Linking"). The file may be anybody's: it is read with pread, neither mapped nor run.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum elf_kind {
	ELF_OTHER,   // no program: data
	ELF_SCRIPT,  // starts with "#!"
	ELF_STATIC,  // needs no library
	ELF_DYNAMIC, // a program or library that needs others
};

struct elf_need {
	char *name;
	bool optional; // DT_AUXILIARY
};

struct elf_file {
	enum elf_kind kind;
	char interp[256];   // of ELF: PT_INTERP, "" if it has none; of a script: the interpreter
	char argument[256]; // of a script: what follows the interpreter, or ""

	// of ELF_DYNAMIC; NULL where there is none
	char *soname;
	char *rpath; // NULL also where there is a runpath, which takes its place
	char *runpath;
	bool no_default; // is not to have what lies in the loader's own folders
	struct elf_need *needs;
	size_t nneeds;
};

void elf_done(struct elf_file *f);
#define _cleanup_elf_ __attribute__((cleanup(elf_done)))

// Reads a regular file; name: for messages. A damaged ELF file is -ENOEXEC, one for another machine
// -ELIBBAD.
int elf_read(int fd, const char *name, struct elf_file *ret, struct err *err);

// Opens path, whoever may have put it there: only a regular file (else -EINVAL, unopened). Returns a
// descriptor, or negative with err set.
int elf_open(const char *path, struct err *err);

// The dynamic loader of this machine: the one its shell runs with.
int elf_loader(char *ret, size_t len, struct err *err);

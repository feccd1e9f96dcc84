// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What kind of file a program is, from its first bytes (ELF: System V ABI, "Object Files").
#pragma once

#include "base/err.h"

#include <stdbool.h>

enum elf_kind {
	ELF_OTHER,   // no program: data
	ELF_SCRIPT,  // starts with "#!"
	ELF_STATIC,  // needs no library
	ELF_DYNAMIC, // a program or library that needs others
};

struct elf_file {
	enum elf_kind kind;
	char interp[256];   // of ELF: PT_INTERP, "" if it has none; of a script: the interpreter
	char argument[256]; // of a script: what follows the interpreter, or ""
};

// Reads the file. An ELF file that is damaged, or for another machine, is an error.
int elf_read(const char *path, struct elf_file *ret, struct err *err);

// The dynamic loader of this machine: the one its shell runs with.
int elf_loader(char *ret, size_t len, struct err *err);

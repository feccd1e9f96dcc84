// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any file as a program or library: an explained refusal, or what it needs, in strings that end.

#include "fuzz.h"

#include "base/str.h"
#include "image/elf.h"

#include <limits.h>
#include <sys/mman.h>

static void must_end(const char *s)
{
	must(s == NULL || strlen(s) < PATH_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_elf_ struct elf_file f = {0};
	_cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);
	struct err err = {0};

	must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	if (elf_read(fd, "x", &f, &err) < 0) {
		must_explain(&err);
		must(f.needs == NULL && f.soname == NULL);
		return 0;
	}
	must(strlen(f.interp) < sizeof(f.interp) && strlen(f.argument) < sizeof(f.argument));
	must(f.kind == ELF_DYNAMIC || f.nneeds == 0);
	must(f.runpath == NULL || f.rpath == NULL);
	must_end(f.soname);
	must_end(f.rpath);
	must_end(f.runpath);
	for (size_t i = 0; i < f.nneeds; i++) {
		must(f.needs[i].name != NULL);
		must_end(f.needs[i].name);
	}
	return 0;
}

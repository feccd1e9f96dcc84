// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/elf.h"

#include "base/scope.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>

#define HEADERS_MAX 128
#define DYNAMIC_MAX (1u << 20)

static int damaged(const char *path, struct err *err)
{
	return err_set(
		err, ENOEXEC, "read '%s': a damaged ELF file; install its package again", path
	);
}

// Exactly len bytes at offset.
static bool read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	return offset <= INT64_MAX && pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
}

// Does the dynamic section name a library?
static int needs_library(int fd, const ElfW(Phdr) * ph, bool *ret)
{
	ElfW(Dyn) d;

	if (ph->p_filesz > DYNAMIC_MAX)
		return -1;
	for (uint64_t at = 0; at + sizeof(d) <= ph->p_filesz; at += sizeof(d)) {
		if (!read_at(fd, &d, sizeof(d), ph->p_offset + at))
			return -1;
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_NEEDED)
			*ret = true;
	}
	return 0;
}

static int read_elf(int fd, const char *path, struct elf_file *f, struct err *err)
{
	bool needs = false;
	ElfW(Ehdr) eh, own;
	_cleanup_close_ int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (!read_at(fd, &eh, sizeof(eh), 0))
		return damaged(path, err);
	if (self < 0 || !read_at(self, &own, sizeof(own), 0))
		return err_set(err, EIO, "read '/proc/self/exe': is /proc mounted?");
	if (eh.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] || eh.e_machine != own.e_machine
	    || eh.e_ident[EI_DATA] != own.e_ident[EI_DATA])
		return err_set(
			err,
			ENOEXEC,
			"read '%s': made for another machine (ELF machine %u, here it is %u)",
			path,
			eh.e_machine,
			own.e_machine
		);
	if (eh.e_phentsize != sizeof(ElfW(Phdr)) || eh.e_phnum > HEADERS_MAX
	    || (eh.e_type != ET_EXEC && eh.e_type != ET_DYN))
		return damaged(path, err);
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		ElfW(Phdr) ph;

		if (!read_at(fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)))
			return damaged(path, err);
		if (ph.p_type == PT_INTERP) {
			if (ph.p_filesz >= sizeof(f->interp)
			    || !read_at(fd, f->interp, ph.p_filesz, ph.p_offset))
				return damaged(path, err);
			f->interp[ph.p_filesz] = '\0';
		} else if (ph.p_type == PT_DYNAMIC && needs_library(fd, &ph, &needs) < 0) {
			return damaged(path, err);
		}
	}
	f->kind = needs || f->interp[0] != '\0' ? ELF_DYNAMIC : ELF_STATIC;
	return 0;
}

// "#! interpreter [argument]", as execve(2) has it.
static void read_script(char *line, struct elf_file *f)
{
	char *word = line + 2 + strspn(line + 2, " \t"), *end;
	size_t n = strcspn(word, " \t");

	snprintf(f->interp, sizeof(f->interp), "%.*s", (int)n, word);
	word += n + strspn(word + n, " \t");
	end = word + strlen(word);
	while (end > word && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		*--end = '\0';
	snprintf(f->argument, sizeof(f->argument), "%s", word);
	f->kind = ELF_SCRIPT;
}

int elf_read(const char *path, struct elf_file *ret, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct elf_file f = {.kind = ELF_OTHER};
	char start[256];
	struct stat st;
	ssize_t n;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(
			err,
			EINVAL,
			"read '%s': not a regular file; name the files themselves",
			path
		);
	n = pread(fd, start, sizeof(start) - 1, 0);
	if (n < 0)
		return err_sys(err, errno, "read '%s'", path);
	start[n] = '\0';
	if (n >= SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0) {
		r = read_elf(fd, path, &f, err);
	} else if (n >= 2 && memcmp(start, "#!", 2) == 0) {
		start[strcspn(start, "\n")] = '\0';
		read_script(start, &f);
	}
	if (r == 0)
		*ret = f;
	return r;
}

int elf_loader(char *ret, size_t len, struct err *err)
{
	static const char sh[] = "/bin/sh";
	struct elf_file f = {0};
	int r = elf_read(sh, &f, err);

	if (r < 0)
		return r;
	if (f.interp[0] == '\0')
		return err_set(
			err, ENOENT, "find the dynamic loader: '%s' is linked without one", sh
		);
	snprintf(ret, len, "%s", f.interp);
	return 0;
}

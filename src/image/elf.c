// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/elf.h"

#include "base/fs.h"
#include "base/scope.h"
#include "image/entries.h"

#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#define HEADERS_MAX 128
#define DYNAMIC_MAX (1u << 20)
#define STRINGS_MAX (64u << 20)
#define NEEDS_MAX 1024

static void scope_elf(Elf **e)
{
	elf_end(*e);
}

void elf_done(struct elf_file *f)
{
	for (size_t i = 0; i < f->nneeds; i++)
		free(f->needs[i].name);
	free(f->needs);
	free(f->soname);
	free(f->rpath);
	free(f->runpath);
	*f = (struct elf_file){0};
}

static int damaged(const char *name, struct err *err)
{
	return err_set(
		err, ENOEXEC, "read '%s': a damaged ELF file; install its package again", name
	);
}

// What is asked of the file while it is read.
struct reader {
	Elf *elf;
	const char *name;
	GElf_Phdr ph[HEADERS_MAX];
	size_t n;
};

// The bytes that the loader has at an address, or NULL: len of them, and all from one segment.
static Elf_Data *at_address(struct reader *r, uint64_t addr, uint64_t len, Elf_Type type)
{
	for (size_t i = 0; i < r->n; i++) {
		const GElf_Phdr *ph = &r->ph[i];

		if (ph->p_type == PT_LOAD && addr >= ph->p_vaddr
		    && addr - ph->p_vaddr < ph->p_filesz
		    && len <= ph->p_filesz - (addr - ph->p_vaddr)
		    && ph->p_offset <= INT64_MAX - (addr - ph->p_vaddr))
			return elf_getdata_rawchunk(
				r->elf, (int64_t)(ph->p_offset + (addr - ph->p_vaddr)), len, type
			);
	}
	return NULL;
}

static int read_string(
	struct reader *r, const Elf_Data *strings, uint64_t at, char **ret, struct err *err
)
{
	const char *s = strings != NULL ? strings->d_buf : NULL;

	if (s == NULL || at >= strings->d_size || memchr(s + at, '\0', strings->d_size - at) == NULL
	    || strlen(s + at) >= PATH_MAX)
		return damaged(r->name, err);
	free(*ret);
	*ret = strdup(s + at);
	return *ret != NULL ? 0 : err_oom(err);
}

static int read_need(
	struct reader *r,
	const Elf_Data *strings,
	const GElf_Dyn *d,
	struct elf_file *f,
	struct err *err
)
{
	struct elf_need *more;

	if (f->nneeds == NEEDS_MAX)
		return err_set(
			err, E2BIG, "read '%s': it names more than %d libraries", r->name, NEEDS_MAX
		);
	more = reallocarray(f->needs, f->nneeds + 1, sizeof(*more));
	if (more == NULL)
		return err_oom(err);
	f->needs = more;
	f->needs[f->nneeds++] = (struct elf_need){.optional = d->d_tag == DT_AUXILIARY};
	return read_string(r, strings, d->d_un.d_val, &f->needs[f->nneeds - 1].name, err);
}

static int read_entry(
	struct reader *r,
	const Elf_Data *strings,
	const GElf_Dyn *d,
	struct elf_file *f,
	struct err *err
)
{
	switch (d->d_tag) {
	case DT_NEEDED:
	case DT_FILTER:
	case DT_AUXILIARY:
		return read_need(r, strings, d, f, err);
	case DT_SONAME:
		return read_string(r, strings, d->d_un.d_val, &f->soname, err);
	case DT_RPATH:
		return read_string(r, strings, d->d_un.d_val, &f->rpath, err);
	case DT_RUNPATH:
		return read_string(r, strings, d->d_un.d_val, &f->runpath, err);
	case DT_FLAGS_1:
		f->no_default = (d->d_un.d_val & DF_1_NODEFLIB) != 0;
		return 0;
	default:
		return 0;
	}
}

// Table and names are at addresses, whose offset in the file the program headers say, as for the loader.
static int read_dynamic(struct reader *r, const GElf_Phdr *ph, struct elf_file *f, struct err *err)
{
	Elf_Data *table = NULL, *strings = NULL;
	uint64_t at = 0, size = 0;
	GElf_Dyn d;
	int n = 0;

	if (ph->p_filesz <= DYNAMIC_MAX)
		table = at_address(r, ph->p_vaddr, ph->p_filesz, ELF_T_DYN);
	if (table == NULL)
		return damaged(r->name, err);
	while (gelf_getdyn(table, n, &d) != NULL && d.d_tag != DT_NULL) {
		if (d.d_tag == DT_STRTAB)
			at = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRSZ)
			size = d.d_un.d_val;
		n++;
	}
	if (size > 0 && size <= STRINGS_MAX)
		strings = at_address(r, at, size, ELF_T_BYTE);
	for (int i = 0; i < n; i++)
		if (gelf_getdyn(table, i, &d) == NULL || read_entry(r, strings, &d, f, err) < 0)
			return -err->code;
	if (f->runpath != NULL)
		free(steal_ptr(f->rpath));
	return 0;
}

static int read_interp(struct reader *r, const GElf_Phdr *ph, struct elf_file *f, struct err *err)
{
	Elf_Data *d;

	if (ph->p_filesz == 0 || ph->p_filesz >= sizeof(f->interp) || ph->p_offset > INT64_MAX)
		return damaged(r->name, err);
	d = elf_getdata_rawchunk(r->elf, (int64_t)ph->p_offset, ph->p_filesz, ELF_T_BYTE);
	if (d == NULL || d->d_buf == NULL)
		return damaged(r->name, err);
	snprintf(f->interp, sizeof(f->interp), "%.*s", (int)d->d_size, (const char *)d->d_buf);
	return 0;
}

static int read_headers(struct reader *r, size_t said, struct err *err)
{
	uint64_t before = 0;

	// libelf counts those that the file has room for
	if (elf_getphdrnum(r->elf, &r->n) < 0 || r->n != said || said > HEADERS_MAX)
		return damaged(r->name, err);
	for (size_t i = 0; i < r->n; i++) {
		const GElf_Phdr *ph = &r->ph[i];

		if (gelf_getphdr(r->elf, (int)i, &r->ph[i]) == NULL)
			return damaged(r->name, err);
		if (ph->p_type != PT_LOAD)
			continue;
		// The loader trusts that they ascend, and else maps them over itself.
		if (ph->p_vaddr < before || ph->p_memsz < ph->p_filesz
		    || ph->p_memsz > UINT64_MAX - ph->p_vaddr)
			return damaged(r->name, err);
		before = ph->p_vaddr;
	}
	return 0;
}

static int read_elf(int fd, const char *name, struct elf_file *f, struct err *err)
{
	// not ELF_C_READ_MMAP: whoever may write to the file could cut it short under us
	__attribute__((cleanup(scope_elf))) Elf *elf =
		elf_version(EV_CURRENT) != EV_NONE ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	struct reader r = {.elf = elf, .name = name};
	const GElf_Phdr *dynamic = NULL;
	GElf_Ehdr eh;

	if (elf == NULL || gelf_getehdr(elf, &eh) == NULL)
		return damaged(name, err);
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB
	    || eh.e_machine != EM_X86_64)
		return err_set(
			err,
			ELIBBAD,
			"read '%s': made for another machine (ELF machine %u, %s; here it is %u)",
			name,
			eh.e_machine,
			eh.e_ident[EI_CLASS] == ELFCLASS64 ? "64 bit" : "32 bit",
			EM_X86_64
		);
	if ((eh.e_type != ET_EXEC && eh.e_type != ET_DYN) || eh.e_phentsize != sizeof(Elf64_Phdr))
		return damaged(name, err);
	if (read_headers(&r, eh.e_phnum, err) < 0)
		return -err->code;
	for (size_t i = 0; i < r.n; i++) {
		if (r.ph[i].p_type == PT_INTERP && read_interp(&r, &r.ph[i], f, err) < 0)
			return -err->code;
		if (r.ph[i].p_type == PT_DYNAMIC && r.ph[i].p_filesz > 0)
			dynamic = &r.ph[i];
	}
	if (dynamic != NULL && read_dynamic(&r, dynamic, f, err) < 0)
		return -err->code;
	f->kind = f->nneeds > 0 || f->interp[0] != '\0' ? ELF_DYNAMIC : ELF_STATIC;
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

int elf_read(int fd, const char *name, struct elf_file *ret, struct err *err)
{
	struct elf_file f = {.kind = ELF_OTHER};
	char start[256];
	ssize_t n = pread(fd, start, sizeof(start) - 1, 0);

	if (n < 0)
		return err_sys(err, errno, "read '%s'", name);
	start[n] = '\0';
	if (n >= SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0) {
		if (read_elf(fd, name, &f, err) < 0) {
			elf_done(&f);
			return -err->code;
		}
	} else if (n >= 2 && memcmp(start, "#!", 2) == 0) {
		start[strcspn(start, "\n")] = '\0';
		read_script(start, &f);
	}
	*ret = f;
	return 0;
}

int elf_open(const char *path, struct err *err)
{
	_cleanup_close_ int at = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	int fd;

	if (at < 0 || fstat(at, &st) < 0)
		return err_sys(err, errno, "read '%s'", path);
	if (!file_is_regular(at, &st))
		return err_set(
			err,
			EINVAL,
			"read '%s': not a regular file; name the files themselves",
			path
		);
	fd = fs_open_regular(at);
	return fd >= 0 ? fd : err_sys(err, errno, "read '%s'", path);
}

int elf_loader(char *ret, size_t len, struct err *err)
{
	static const char sh[] = "/bin/sh";
	_cleanup_close_ int fd = elf_open(sh, err);
	_cleanup_elf_ struct elf_file f = {0};

	if (fd < 0)
		return fd;
	if (elf_read(fd, sh, &f, err) < 0)
		return -err->code;
	if (f.interp[0] == '\0')
		return err_set(
			err, ENOENT, "find the dynamic loader: '%s' is linked without one", sh
		);
	snprintf(ret, len, "%s", f.interp);
	return 0;
}

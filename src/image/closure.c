// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/closure.h"

#include "base/scope.h"
#include "base/str.h"
#include "image/elf.h"
#include "image/ldsearch.h"
#include "site/site.h"

#include <limits.h>
#include <string.h>

int closure_find(const char *program, char **ret, struct err *err)
{
	const char *path = getenv("PATH") ?: SITE_PATH;
	_cleanup_free_ char *cwd = NULL;

	if (*program == '\0')
		return err_set(err, EINVAL, "find program '': the name is empty");
	if (strchr(program, '/') != NULL) {
		if (access(program, F_OK) < 0)
			return err_sys(err, errno, "find '%s'", program);
		while (str_starts(program, "./"))
			program += 2 + strspn(program + 2, "/");
		cwd = program[0] == '/' ? strdup("") : getcwd(NULL, 0);
		*ret = cwd != NULL ? str_printf("%s%s%s", cwd, *cwd != '\0' ? "/" : "", program)
				   : NULL;
		return *ret != NULL ? 0 : err_oom(err);
	}
	while (*path != '\0') {
		size_t n = strcspn(path, ":");
		_cleanup_free_ char *file = str_printf("%.*s/%s", (int)n, path, program);

		if (file == NULL)
			return err_oom(err);
		if (file[0] == '/' && access(file, X_OK) == 0) {
			*ret = steal_ptr(file);
			return 0;
		}
		path += n + (path[n] == ':');
	}
	return err_set(
		err, ENOENT, "find program '%s': not in PATH; is its package installed?", program
	);
}

static void tell(void (*note)(const char *line), const char *script, const char *interp)
{
	_cleanup_free_ char *line = str_printf(
		"'%s' is a script: '%s' and its libraries are taken too, but no modules it loads",
		script,
		interp
	);

	if (note == NULL || line == NULL)
		return;
	str_plain(line);
	note(line);
}

static int take_interpreter(
	struct entries *s,
	const char *script,
	const struct elf_file *f,
	void (*note)(const char *line),
	struct err *err
)
{
	const char *base = strrchr(f->interp, '/');
	_cleanup_free_ char *found = NULL;
	char name[256];

	if (f->interp[0] != '/')
		return err_set(
			err, ENOEXEC, "take '%s': interpreter '%s' is no path", script, f->interp
		);
	if (entries_take(s, f->interp, TAKE_INTERPRETER, script, NULL, err) < 0)
		return err_wrap(err, "take the interpreter of '%s'", script);
	tell(note, script, f->interp);
	if (!str_eq(base, "/env") || f->argument[0] == '\0' || f->argument[0] == '-')
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(f->argument, " \t"), f->argument);
	if (closure_find(name, &found, err) < 0
	    || entries_take(s, found, TAKE_INTERPRETER, script, NULL, err) < 0)
		return err_wrap(err, "take the interpreter of '%s'", script);
	tell(note, script, found);
	return 0;
}

// Only the loader of this machine is known to look where ldsearch.c does.
static int check_loader(const char *file, const char *interp, const char *loader, struct err *err)
{
	char a[PATH_MAX], b[PATH_MAX];

	if (realpath(interp, a) != NULL && realpath(loader, b) != NULL && str_eq(a, b))
		return 0;
	return err_set(
		err,
		ENOEXEC,
		"take '%s': it wants the dynamic loader '%s', this machine's is '%s'",
		file,
		interp,
		loader
	);
}

static int complete_one(
	struct entries *s,
	const struct ldconf *conf,
	size_t i,
	const char *loader,
	void (*note)(const char *line),
	struct err *err
)
{
	// the set moves when it grows
	_cleanup_free_ char *file = strdup(s->v[i].path);
	_cleanup_elf_ struct elf_file f = {0};
	_cleanup_close_ int fd = -1;

	if (file == NULL)
		return err_oom(err);
	fd = entries_open(&s->v[i], err);
	if (fd < 0)
		return fd;
	if (elf_read(fd, file, &f, err) < 0)
		return -err->code;
	if (f.kind == ELF_SCRIPT)
		return take_interpreter(s, file, &f, note, err);
	if (f.kind != ELF_DYNAMIC)
		return 0;
	if (f.interp[0] != '\0'
	    && (check_loader(file, f.interp, loader, err) < 0
		|| entries_take(s, f.interp, TAKE_LIBRARY, file, NULL, err) < 0))
		return -err->code;
	return search_libraries(s, conf, loader, i, &f, err);
}

int closure_complete(
	struct entries *s,
	const struct ldconf *conf,
	void (*note)(const char *line),
	struct err *err
)
{
	char loader[256];

	if (elf_loader(loader, sizeof(loader), err) < 0)
		return -err->code;
	// The set grows and moves while it is walked.
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].link != NULL || s->v[i].scanned)
			continue;
		s->v[i].scanned = true;
		if (complete_one(s, conf, i, loader, note, err) < 0)
			return -err->code;
	}
	return 0;
}

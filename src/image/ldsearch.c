// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/ldsearch.h"

#include "base/scope.h"
#include "base/str.h"
#include "image/interrupt.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

// What one program may make us do: a file of a few kilobytes can ask for endless work.
#define OBJECTS_MAX 2048
#define LOOKUPS_MAX 32768
#define PROBES_MAX 1000000

#define NONE SIZE_MAX

const char *const search_hwcaps[3] = {"x86-64-v4", "x86-64-v3", "x86-64-v2"};

// One file that is loaded.
struct object {
	char *path; // as it was found: $ORIGIN is its folder
	struct elf_file elf;
	struct file_id id;
	size_t by; // who asked for it first; NONE: the program
};

struct search {
	struct entries *s;
	const struct ldconf *conf;
	struct object *v;
	size_t n;
	char **names; // by which what is loaded was asked for
	size_t nnames;
	unsigned lookups, probes;
};

static void search_done(struct search *x)
{
	for (size_t i = 0; i < x->n; i++) {
		free(x->v[i].path);
		elf_done(&x->v[i].elf);
	}
	for (size_t i = 0; i < x->nnames; i++)
		free(x->names[i]);
	free(x->v);
	free(x->names);
}

static const char *program(const struct search *x)
{
	return x->v[0].path;
}

static int too_much(const struct search *x, const char *what, unsigned max, struct err *err)
{
	return err_set(err, E2BIG, "take '%s': more than %u %s", program(x), max, what);
}

static int add_name(struct search *x, const char *name, struct err *err)
{
	char **more = reallocarray(x->names, x->nnames + 1, sizeof(*more));

	if (more == NULL)
		return err_oom(err);
	x->names = more;
	x->names[x->nnames] = strdup(name);
	if (x->names[x->nnames] == NULL)
		return err_oom(err);
	x->nnames++;
	return 0;
}

// Takes the content over.
static int add_object(
	struct search *x,
	const char *path,
	struct elf_file *f,
	const struct file_id *id,
	size_t by,
	struct err *err
)
{
	struct object *more;

	if (x->n == OBJECTS_MAX)
		return too_much(x, "libraries", OBJECTS_MAX, err);
	more = reallocarray(x->v, x->n + 1, sizeof(*more));
	if (more == NULL)
		return err_oom(err);
	x->v = more;
	more[x->n] = (struct object){.path = strdup(path), .elf = *f, .id = *id, .by = by};
	*f = (struct elf_file){0};
	if (more[x->n++].path == NULL)
		return err_oom(err);
	return add_name(x, path, err);
}

// The loader does not look for what it has: by the name it was asked for, or the one it has itself.
static bool is_loaded(const struct search *x, const char *name)
{
	for (size_t i = 0; i < x->nnames; i++)
		if (str_eq(x->names[i], name))
			return true;
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].elf.soname != NULL && str_eq(x->v[i].elf.soname, name))
			return true;
	return false;
}

static int spend(struct search *x, struct err *err)
{
	if (++x->probes > PROBES_MAX)
		return too_much(x, "places to look for its libraries", PROBES_MAX, err);
	return image_interrupted(err);
}

// Looks at one place. *found: whether there is a library that this machine can load.
static int probe(
	struct search *x,
	size_t by,
	const char *name,
	const char *path,
	bool *found,
	struct err *err
)
{
	_cleanup_elf_ struct elf_file f = {0};
	_cleanup_close_ int fd = -1;
	const struct entry *e;
	size_t index;
	int r;

	if (spend(x, err) < 0)
		return -err->code;
	fd = elf_open(path, err);
	if (fd < 0) // one that is not there or not to be reached is none
		return err->code == EINVAL ? fd : 0;
	r = elf_read(fd, path, &f, err);
	if (r == -ELIBBAD) // for another machine: the loader goes on, too
		return 0;
	if (r < 0)
		return err_wrap(err, "take the libraries of '%s'", x->v[by].path);
	if (f.kind != ELF_STATIC && f.kind != ELF_DYNAMIC)
		return err_set(err, ENOEXEC, "take '%s' for '%s': no library", path, x->v[by].path);
	if (entries_take(x->s, path, TAKE_LIBRARY, x->v[by].path, &index, err) < 0)
		return -err->code;
	e = &x->s->v[index];
	if (entries_check(e, fd, err) < 0)
		return -err->code;
	*found = true;
	x->s->v[index].scanned = true;
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].id.dev == e->id.dev && x->v[i].id.ino == e->id.ino)
			return add_name(x, name, err);
	if (add_object(x, path, &f, &e->id, by, err) < 0)
		return -err->code;
	return add_name(x, name, err);
}

static int missing(const struct search *x, size_t by, const char *name, struct err *err)
{
	return err_set(
		err,
		ENOENT,
		"take '%s': its library '%s' is not installed; 'apt-file search %s' names the "
		"package",
		x->v[by].path,
		name,
		name
	);
}

// ---- where it is looked for

static const char *const platforms[] = {"haswell", "xeon_phi", "x86_64"};

// Length of "{NAME}" or "NAME" at s, which begins after the "$", or 0.
static size_t is_token(const char *s, const char *name)
{
	bool braces = *s == '{';
	size_t n = strlen(name);

	if (strncmp(s + braces, name, n) != 0)
		return 0;
	if (braces)
		return s[1 + n] == '}' ? n + 2 : 0;
	return isalnum((unsigned char)s[n]) || s[n] == '_' ? 0 : n;
}

// The folder that libraries lie in, below / and /usr.
static const char *lib_folder(const struct search *x)
{
	for (size_t i = 0; i < x->conf->n; i++)
		if (str_eq(x->conf->v[i].path, "/usr/lib/x86_64-linux-gnu"))
			return "lib/x86_64-linux-gnu";
	return "lib64";
}

// Replaces $ORIGIN, $LIB and $PLATFORM in the first n characters of s. Returns whether it depends on
// the platform, or -ENAMETOOLONG.
static int expand(
	const struct search *x,
	size_t owner,
	const char *s,
	size_t n,
	const char *platform,
	char ret[static PATH_MAX]
)
{
	const char *path = x->v[owner].path;
	size_t len = 0;
	int varies = 0;

	for (size_t i = 0; i < n;) {
		const char *put = s + i;
		int size = 1;
		size_t used = 0;

		if (s[i] == '$') {
			if ((used = is_token(s + i + 1, "ORIGIN")) > 0) {
				put = path;
				size = (int)(strrchr(path, '/') - path);
			} else if ((used = is_token(s + i + 1, "LIB")) > 0) {
				put = lib_folder(x);
				size = (int)strlen(put);
			} else if ((used = is_token(s + i + 1, "PLATFORM")) > 0) {
				put = platform;
				size = (int)strlen(put);
				varies = 1;
			}
		}
		if (len + (size_t)size >= PATH_MAX)
			return -ENAMETOOLONG;
		memcpy(ret + len, put, (size_t)size);
		len += (size_t)size;
		i += 1 + used;
	}
	ret[len] = '\0';
	return varies;
}

// Looks in one folder. Returns 1 when the loader, on whatever CPU, would look no further.
static int look_in(
	struct search *x, size_t by, const char *dir, const char *name, bool *found, struct err *err
)
{
	bool first = false;

	for (size_t i = 0; i <= ARRAY_LEN(search_hwcaps); i++) {
		bool last = i == ARRAY_LEN(search_hwcaps);
		_cleanup_free_ char *path = str_printf(
			"%s/%s%s%s%s",
			dir,
			last ? "" : SEARCH_HWCAPS,
			last ? "" : search_hwcaps[i],
			last ? "" : "/",
			name
		);

		if (path == NULL)
			return err_oom(err);
		if (probe(x, by, name, path, last ? &first : found, err) < 0)
			return -err->code;
	}
	*found |= first;
	return first;
}

// Looks in the folders of a list that an object has. A relative one depends on where the program is
// started: what is there now says nothing.
static int look_in_list(
	struct search *x,
	size_t by,
	size_t owner,
	const char *list,
	const char *name,
	bool *found,
	struct err *err
)
{
	char dir[PATH_MAX];

	for (const char *at = list; *at != '\0';) {
		size_t n = strcspn(at, ":");
		int varies = 1;

		if (spend(x, err) < 0)
			return -err->code;
		for (size_t i = 0; i < ARRAY_LEN(platforms) && varies == 1; i++) {
			int r = 0;

			varies = expand(x, owner, at, n, platforms[i], dir);
			if (varies >= 0 && dir[0] == '/')
				r = look_in(x, by, dir, name, found, err);
			if (r < 0 || (r > 0 && varies == 0))
				return r;
		}
		at += n + (at[n] == ':');
	}
	return 0;
}

// The folders in the loader's order. The path list of an object without a runpath is followed by those
// of the objects that asked for it.
static int look(struct search *x, size_t by, const char *name, bool *found, struct err *err)
{
	const struct elf_file *f = &x->v[by].elf;
	int r = 0;

	if (f->runpath == NULL) {
		for (size_t l = by; l != NONE && r == 0; l = x->v[l].by)
			if (x->v[l].elf.rpath != NULL)
				r = look_in_list(x, by, l, x->v[l].elf.rpath, name, found, err);
	} else {
		r = look_in_list(x, by, by, f->runpath, name, found, err);
	}
	for (size_t i = 0; i < x->conf->n && r == 0; i++)
		if (!x->conf->v[i].builtin || !x->v[by].elf.no_default)
			r = look_in(x, by, x->conf->v[i].path, name, found, err);
	return r < 0 ? r : 0;
}

// A name with a slash is a path.
static int look_at(struct search *x, size_t by, const char *name, bool *found, struct err *err)
{
	char path[PATH_MAX];
	int varies = 1;

	for (size_t i = 0; i < ARRAY_LEN(platforms) && varies == 1; i++) {
		varies = expand(x, by, name, strlen(name), platforms[i], path);
		if (varies >= 0 && path[0] != '/')
			return err_set(
				err,
				ENOEXEC,
				"take '%s': its library '%s' is named by a relative path: where "
				"that leads depends on where it is started",
				x->v[by].path,
				name
			);
		if (varies >= 0 && probe(x, by, name, path, found, err) < 0)
			return -err->code;
	}
	return 0;
}

static int load(struct search *x, size_t by, const char *name, bool optional, struct err *err)
{
	bool found = false;
	int r;

	if (++x->lookups > LOOKUPS_MAX)
		return too_much(x, "libraries to look for", LOOKUPS_MAX, err);
	if (is_loaded(x, name))
		return 0;
	r = strchr(name, '/') != NULL ? look_at(x, by, name, &found, err)
				      : look(x, by, name, &found, err);
	if (r < 0)
		return r;
	return found || optional ? 0 : missing(x, by, name, err);
}

// The loader is there before all else, and its name is known.
static int add_loader(struct search *x, const char *loader, struct err *err)
{
	_cleanup_elf_ struct elf_file f = {0};
	_cleanup_close_ int fd = elf_open(loader, err);
	size_t index;

	if (fd < 0)
		return fd;
	if (elf_read(fd, loader, &f, err) < 0
	    || entries_take(x->s, loader, TAKE_LIBRARY, program(x), &index, err) < 0)
		return -err->code;
	x->s->v[index].scanned = true;
	return add_object(x, loader, &f, &x->s->v[index].id, NONE, err);
}

static int load_needs(struct search *x, size_t by, struct err *err)
{
	// glibc loads it when a thread ends, without naming it
	static const char libc[] = "libc.so.6", unnamed[] = "libgcc_s.so.1";
	const char *soname = x->v[by].elf.soname;

	for (size_t i = 0; i < x->v[by].elf.nneeds; i++) {
		const struct elf_need *need = &x->v[by].elf.needs[i];

		if (load(x, by, need->name, need->optional, err) < 0)
			return -err->code;
	}
	return soname != NULL && str_eq(soname, libc) ? load(x, by, unnamed, false, err) : 0;
}

int search_libraries(
	struct entries *s,
	const struct ldconf *conf,
	const char *loader,
	size_t file,
	struct elf_file *f,
	struct err *err
)
{
	scope_cleanup(search_done) struct search x = {.s = s, .conf = conf};

	if (add_object(&x, s->v[file].path, f, &s->v[file].id, NONE, err) < 0
	    || add_loader(&x, loader, err) < 0)
		return -err->code;
	// breadth first, as the loader does; the list grows meanwhile
	for (size_t i = 0; i < x.n; i++)
		if (load_needs(&x, i, err) < 0)
			return -err->code;
	return 0;
}

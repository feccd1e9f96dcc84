// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "image/closure.h"
#include "image/elf.h"
#include "image/entries.h"
#include "image/image.h"
#include "image/pmd.h"
#include "image/tree.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

// Where the image goes: everything happens in its parent directory.
struct place {
	int parent;		 // locked: one build at a time
	char path[PATH_MAX];	 // of the parent
	char name[NAME_MAX + 1]; // of the image in it
	char tmp[NAME_MAX + 1];
	bool exists;
};

static int exists_error(const char *dir, struct err *err)
{
	return err_set(
		err,
		EEXIST,
		"build image '%s': it exists already; say --replace, or choose another name",
		dir
	);
}

// Only an image is replaced: a wrong name must not cost somebody's files.
static int check_existing(const struct place *p, const struct image_request *req, struct err *err)
{
	_cleanup_close_ int fd = -1;

	if (!req->replace)
		return exists_error(req->dir, err);
	fd = openat(p->parent, p->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || faccessat(fd, IMAGE_MANIFEST, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(
			err,
			EEXIST,
			"replace '%s': it is not an image (it has no " IMAGE_MANIFEST
			"); remove it yourself, or choose another name",
			req->dir
		);
	return 0;
}

static int split(const char *dir, struct place *p, struct err *err)
{
	size_t n = strlen(dir), base;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	for (base = n; base > 0 && dir[base - 1] != '/'; base--)
		;
	snprintf(p->name, sizeof(p->name), "%.*s", (int)(n - base), dir + base);
	if (n >= PATH_MAX || n - base == 0 || n - base > NAME_MAX - 16 || str_eq(p->name, ".")
	    || str_eq(p->name, ".."))
		return err_set(
			err, EINVAL, "build image '%.64s': not the name of a new directory", dir
		);
	snprintf(p->path, sizeof(p->path), "%.*s", base > 0 ? (int)base : 1, base > 0 ? dir : ".");
	snprintf(p->tmp, sizeof(p->tmp), ".%.*s.pinfold", NAME_MAX - 16, p->name);
	return 0;
}

static int find_place(const struct image_request *req, struct place *p, struct err *err)
{
	struct stat st;

	if (split(req->dir, p, err) < 0)
		return -err->code;
	if (str_eq(p->path, IMAGE_DIR "/")) {
		int fd = fs_mkdirs(IMAGE_DIR, 0755, err);

		if (fd < 0)
			return fd;
		close(fd);
	}
	p->parent = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->parent < 0)
		return err_sys(err, errno, "build image '%s': open '%s'", req->dir, p->path);
	if (flock(p->parent, LOCK_EX | LOCK_NB) < 0)
		return err_set(
			err,
			EBUSY,
			"build image '%s': another image is being built in '%s'; wait for it",
			req->dir,
			p->path
		);
	p->exists = fstatat(p->parent, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	return p->exists ? check_existing(p, req, err) : 0;
}

// libgcc_s is loaded by glibc when a thread ends, without being named by any library.
static int take_libgcc(struct entries *s, struct err *err)
{
	static const char libc[] = "libc.so.6";

	for (size_t i = 0; i < s->n; i++) {
		const char *path = s->v[i].path, *base = strrchr(path, '/') + 1;
		_cleanup_free_ char *gcc = NULL;

		if (!str_eq(base, libc))
			continue;
		gcc = str_printf("%.*slibgcc_s.so.1", (int)(base - path), path);
		if (gcc == NULL)
			return err_oom(err);
		if (access(gcc, F_OK) < 0)
			return err_set(
				err,
				ENOENT,
				"take '%s': not installed; install package libgcc-s1",
				gcc
			);
		return entries_take(s, gcc, err);
	}
	return 0;
}

// Libraries are looked for where this machine looks for them.
static int take_loader_config(struct entries *s, struct err *err)
{
	bool dynamic = false;
	int r = 0;
	glob_t g;

	for (size_t i = 0; i < s->n; i++)
		dynamic |= strstr(s->v[i].path, "/libc.so.6") != NULL;
	if (!dynamic)
		return 0;
	if (access("/etc/ld.so.conf", F_OK) == 0 && entries_take(s, "/etc/ld.so.conf", err) < 0)
		return -err->code;
	if (glob("/etc/ld.so.conf.d/*.conf", 0, NULL, &g) != 0)
		return 0;
	for (size_t i = 0; i < g.gl_pathc && r == 0; i++)
		if (access(g.gl_pathv[i], F_OK) == 0)
			r = entries_take(s, g.gl_pathv[i], err);
	globfree(&g);
	return r;
}

// A program from outside the usual folders can be called by its name, too.
static int link_program(struct entries *s, const char *path, struct err *err)
{
	static const char *const usual[] = {
		"/bin/",
		"/sbin/",
		"/usr/bin/",
		"/usr/sbin/",
		"/usr/local/bin/",
		"/usr/local/sbin/"};
	const char *base = strrchr(path, '/') + 1;
	_cleanup_free_ char *name = str_printf("/usr/bin/%s", base);

	if (name == NULL)
		return err_oom(err);
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (strlen(usual[i]) == (size_t)(base - path) && str_starts(path, usual[i]))
			return 0;
	return entries_link(s, name, path, err);
}

static int take_programs(
	const struct image_request *req, struct entries *s, json_t *names, struct err *err
)
{
	for (size_t i = 0; i < req->nprograms; i++) {
		_cleanup_free_ char *path = NULL;
		struct elf_file f;

		if (closure_find(req->programs[i], &path, err) < 0)
			return -err->code;
		if (elf_read(path, &f, err) < 0)
			return -err->code;
		if (f.kind == ELF_OTHER)
			return err_set(
				err,
				ENOEXEC,
				"take program '%s': neither an ELF program nor a script; take data "
				"with --add",
				path
			);
		if (entries_take(s, path, err) < 0 || link_program(s, path, err) < 0)
			return -err->code;
		json_array_append_new(names, json_string(path));
	}
	return 0;
}

static int take_added(const struct image_request *req, struct entries *s, struct err *err)
{
	for (size_t i = 0; i < req->nadd; i++) {
		_cleanup_free_ char *path = NULL;

		// With a slash it is never looked for in PATH.
		if (strchr(req->add[i], '/') == NULL) {
			_cleanup_free_ char *here = str_printf("./%s", req->add[i]);

			if (here == NULL)
				return err_oom(err);
			if (closure_find(here, &path, err) < 0)
				return -err->code;
		} else if (closure_find(req->add[i], &path, err) < 0) {
			return -err->code;
		}
		if (entries_take(s, path, err) < 0)
			return -err->code;
	}
	return 0;
}

static json_t *make_manifest(const struct entries *s, json_t *names, json_t *dpdk)
{
	_cleanup_json_ json_t *all = json_array();
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].link != NULL)
			continue;
		bytes += s->v[i].bytes;
		json_array_append_new(
			all,
			json_pack(
				"{s:s, s:I}",
				"path",
				s->v[i].path,
				"bytes",
				(json_int_t)s->v[i].bytes
			)
		);
	}
	return json_pack(
		"{s:i, s:O, s:O, s:I, s:O}",
		"format",
		1,
		"programs",
		names,
		"dpdk",
		dpdk,
		"bytes",
		(json_int_t)bytes,
		"files",
		all
	);
}

// All that the image will have, and its manifest.
static int collect(
	const struct image_request *req, struct entries *s, json_t **ret, struct err *err
)
{
	_cleanup_json_ json_t *names = json_array(), *dpdk = NULL;
	json_t *manifest;

	if (names == NULL)
		return err_oom(err);
	if (tree_base(s, err) < 0 || take_programs(req, s, names, err) < 0
	    || take_added(req, s, err) < 0 || closure_complete(s, req->note, err) < 0
	    || take_libgcc(s, err) < 0 || pmd_take(s, req->pmds, &dpdk, err) < 0
	    || closure_complete(s, req->note, err) < 0 || take_loader_config(s, err) < 0)
		return -err->code;
	entries_sort(s);
	manifest = make_manifest(s, names, dpdk);
	if (manifest == NULL)
		return err_oom(err);
	*ret = manifest;
	return 0;
}

static int check_room(const struct place *p, const json_t *manifest, struct err *err)
{
	uint64_t need = (uint64_t)json_integer_value(json_object_get(manifest, "bytes"));
	struct statvfs vfs;

	// /proc and its like have no blocks at all and say themselves what is wrong.
	if (fstatvfs(p->parent, &vfs) < 0 || vfs.f_blocks == 0
	    || (uint64_t)vfs.f_bavail * vfs.f_frsize >= need)
		return 0;
	return err_set(
		err,
		ENOSPC,
		"build image in '%s': it needs %llu MB and %llu MB are free; make room or choose "
		"another place",
		p->path,
		(unsigned long long)(need >> 20) + 1,
		(unsigned long long)((uint64_t)vfs.f_bavail * vfs.f_frsize >> 20)
	);
}

static int fill(const struct place *p, const struct entries *s, json_t *manifest, struct err *err)
{
	_cleanup_close_ int root =
		openat(p->parent, p->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *path = str_printf("%s/%s", p->path, p->tmp);
	_cleanup_free_ char *text = json_dumps(manifest, JSON_INDENT(1));
	_cleanup_close_ int etc = -1;

	if (root < 0)
		return err_sys(err, errno, "open '%s'", p->tmp);
	if (path == NULL || text == NULL)
		return err_oom(err);
	if (tree_write(root, path, s, err) < 0)
		return -err->code;
	etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (etc < 0)
		return err_sys(err, errno, "open '/etc' of the image");
	if (fs_write_atomic(etc, strrchr(IMAGE_MANIFEST, '/') + 1, text, strlen(text), 0644, err)
	    < 0)
		return -err->code;
	if (fchown(root, 0, 0) < 0 || fchmod(root, 0755) < 0)
		return err_sys(err, errno, "set the mode of '%s'", path);
	return 0;
}

// Moves the whole image to its place. What was there comes out under the temporary name.
static int move(const struct place *p, const struct image_request *req, struct err *err)
{
	unsigned flags = p->exists ? RENAME_EXCHANGE : RENAME_NOREPLACE;

	if (renameat2(p->parent, p->tmp, p->parent, p->name, flags) == 0)
		return 0;
	if (errno == EEXIST)
		return exists_error(req->dir, err);
	if (errno != EINVAL)
		return err_sys(err, errno, "move the image to '%s'", req->dir);
	// A file system that knows neither flag.
	if (p->exists && fs_remove_tree(p->parent, p->name, err) < 0)
		return -err->code;
	if (renameat(p->parent, p->tmp, p->parent, p->name) < 0)
		return err_sys(err, errno, "move the image to '%s'", req->dir);
	return 0;
}

static int write_image(
	const struct image_request *req,
	const struct place *p,
	const struct entries *s,
	json_t *manifest,
	struct err *err
)
{
	struct err ignored;
	int r;

	// What a build that was killed left; the lock says that nobody works in it.
	if (fs_remove_tree(p->parent, p->tmp, err) < 0)
		return err_wrap(err, "build image '%s'", req->dir);
	if (mkdirat(p->parent, p->tmp, 0700) < 0)
		return err_sys(err, errno, "build image '%s': write to '%s'", req->dir, p->path);
	r = fill(p, s, manifest, err);
	if (r == 0)
		r = move(p, req, err);
	if (r < 0)
		fs_remove_tree(p->parent, p->tmp, &ignored);
	else if (p->exists)
		r = fs_remove_tree(p->parent, p->tmp, err);
	return r;
}

int image_build(const struct image_request *req, json_t **ret, struct err *err)
{
	_cleanup_entries_ struct entries s = {0};
	_cleanup_json_ json_t *manifest = NULL;
	struct place p = {.parent = -1};
	int r;

	if (geteuid() != 0)
		return err_set(
			err,
			EPERM,
			"build image '%s': its files belong to root; run as root",
			req->dir
		);
	r = find_place(req, &p, err);
	if (r == 0)
		r = collect(req, &s, &manifest, err);
	if (r == 0)
		r = check_room(&p, manifest, err);
	if (r == 0)
		r = write_image(req, &p, &s, manifest, err);
	if (p.parent >= 0)
		close(p.parent);
	if (r == 0)
		*ret = steal_ptr(manifest);
	return r;
}

int image_manifest(const char *dir, json_t **ret, struct err *err)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *what = str_printf("'%s/" IMAGE_MANIFEST "'", dir);

	if (what == NULL)
		return err_oom(err);
	if (fd < 0)
		return err_sys(err, errno, "open image '%s'", dir);
	if (faccessat(fd, IMAGE_MANIFEST, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(
			err, ENOENT, "open image '%s': not an image, it has no " IMAGE_MANIFEST, dir
		);
	return jread_file(fd, IMAGE_MANIFEST, what, ret, err);
}

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
#include "image/ldconf.h"
#include "image/place.h"
#include "image/pmd.h"
#include "image/tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

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
		_cleanup_elf_ struct elf_file f = {0};
		_cleanup_close_ int fd = -1;
		size_t index;

		if (closure_find(req->programs[i], &path, err) < 0)
			return -err->code;
		fd = elf_open(path, err);
		if (fd < 0 || elf_read(fd, path, &f, err) < 0)
			return -err->code;
		if (f.kind == ELF_OTHER)
			return err_set(
				err,
				ENOEXEC,
				"take program '%s': neither an ELF program nor a script; take data "
				"with --add",
				path
			);
		if (entries_take(s, path, TAKE_NAMED, NULL, &index, err) < 0
		    || entries_check(&s->v[index], fd, err) < 0 || link_program(s, path, err) < 0)
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
		if (entries_take(s, path, TAKE_NAMED, NULL, NULL, err) < 0)
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
	const struct image_request *req,
	const struct ldconf *conf,
	struct entries *s,
	json_t **ret,
	struct err *err
)
{
	_cleanup_json_ json_t *names = json_array(), *dpdk = NULL;
	json_t *manifest;

	if (names == NULL)
		return err_oom(err);
	if (tree_base(s, err) < 0 || take_programs(req, s, names, err) < 0
	    || take_added(req, s, err) < 0 || closure_complete(s, conf, req->note, err) < 0
	    || pmd_take(s, req->pmds, &dpdk, err) < 0
	    || closure_complete(s, conf, req->note, err) < 0)
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

static int write_image(
	struct place *p,
	const struct entries *s,
	const struct ldconf *conf,
	json_t *manifest,
	const struct image_guard *guard,
	struct err *err
)
{
	_cleanup_close_ int root = place_start(p, err), etc = -1;
	_cleanup_free_ char *text = json_dumps(manifest, JSON_INDENT(1));

	if (root < 0)
		return root;
	if (text == NULL)
		return err_oom(err);
	if (tree_write(root, s, conf, err) < 0)
		return -err->code;
	etc = fs_open_below(root, "etc", O_RDONLY | O_DIRECTORY, 0, false);
	if (etc < 0)
		return err_sys(err, errno, "open '/etc' of the image");
	if (fs_write_atomic(etc, strrchr(IMAGE_MANIFEST, '/') + 1, text, strlen(text), 0644, err)
	    < 0)
		return -err->code;
	if (fchown(root, 0, 0) < 0 || fchmod(root, 0755) < 0)
		return err_sys(err, errno, "set the mode of '%s'", p->dir);
	return place_finish(p, guard, err);
}

int image_build(const struct image_request *req, json_t **ret, struct err *err)
{
	_cleanup_entries_ struct entries s = {0};
	_cleanup_ldconf_ struct ldconf conf = {0};
	_cleanup_json_ json_t *manifest = NULL;
	scope_cleanup(place_done) struct place p = PLACE_NEW;

	if (geteuid() != 0)
		return err_set(
			err,
			EPERM,
			"build image '%s': its files belong to root; run as root",
			req->dir
		);
	if (place_find(req->dir, req->replace, &p, err) < 0 || ldconf_read(&conf, err) < 0
	    || collect(req, &conf, &s, &manifest, err) < 0 || check_room(&p, manifest, err) < 0
	    || write_image(&p, &s, &conf, manifest, req->guard, err) < 0)
		return -err->code;
	*ret = steal_ptr(manifest);
	return 0;
}

int image_manifest(const char *dir, json_t **ret, struct err *err)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *what = str_printf("'%s/" IMAGE_MANIFEST "'", dir);
	int r;

	if (what == NULL)
		return err_oom(err);
	if (fd < 0)
		return err_sys(err, errno, "open image '%s'", dir);
	r = jread_file(fd, IMAGE_MANIFEST, what, ret, err);
	if (r == -ENOENT)
		err_set(err, ENOENT, "open image '%s': not an image, it has no " IMAGE_MANIFEST, dir
		);
	return r;
}

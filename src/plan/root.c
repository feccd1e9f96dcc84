// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The root file system of a container, always read-only. Without an image it is made of what programs
// of the host need and nothing else (paper §3.4: no disk at all): what is not listed here does not
// exist inside. With an image it is the image under a layer of mount points.

#include "base/fs.h"
#include "base/scope.h"
#include "plan/make.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

// Directories of the host's root that are shown, as they are, read-only.
static const char *const shown[] = {"usr", "etc", "opt"};

// Directories on systems where they are not links into usr.
static const char *const merged[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

// Mount points of volumes that a shown directory lacks: a layer above it.
#define POINTS FENCE_DIR "/points"

// Places where something is mounted or which programs expect.
static const char *const places[] = {"proc", "sys", "dev", "run", "tmp", "var"};

// A directory of the host under an overlay, whose files are of its own: a watch or a lock on them says
// nothing about what the host does with the files below, and keeps no program of it waiting. An overlay
// wants two layers; the upper one is empty.
static void show(struct plan *p, const char *name, void *arg)
{
	const unsigned *points = arg;
	bool has_points = false;

	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		has_points = has_points || ((*points & 1u << i) != 0 && str_eq(shown[i], name));
	plan_dir(p, str_printf(FENCE_DIR "/root/%s", name));
	plan_fence_step(
		p,
		STEP_OVERLAY,
		str_printf(FENCE_DIR "/root/%s", name),
		has_points ? str_printf(
			"lowerdir=" POINTS "/%s:%s/%s", name, p->lease.site.layers, name
		)
			   : str_printf(PLAN_SHOWN "%s/%s", p->lease.site.layers, name)
	);
}

// For a keeper, whose user namespace may take nothing for a layer that has other mounts below it.
static void source(struct plan *p, const char *name, void *arg)
{
	(void)arg;
	plan_dir(p, str_printf(PEN_ROOT "/%s", name));
	plan_bind(p, str_printf("/%s", name), str_printf(PEN_ROOT "/%s", name), true);
}

// No sysfs is mounted: the view, with the granted parts of the host's sysfs bound into it, is all there
// is. One mount, whatever the host has.
static void show_sys(struct plan *p)
{
	plan_bind(p, strdup(FENCE_DIR "/view/sys"), strdup(FENCE_DIR "/root/sys"), true)
		->recursive = true;
}

static bool is_directory(const struct hostfs *fs, const char *path)
{
	_cleanup_close_ int fd = fs_open_in(fs->root, path, O_PATH | O_DIRECTORY, 0);

	return fd >= 0;
}

void plan_each_shown(struct plan *p, plan_shown_fn fn, void *arg)
{
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		if (is_directory(p->fs, shown[i]))
			fn(p, shown[i], arg);
	}
	for (size_t i = 0; i < ARRAY_LEN(merged); i++) {
		if (fstatat(p->fs->root, merged[i], &st, AT_SYMLINK_NOFOLLOW) == 0
		    && S_ISDIR(st.st_mode))
			fn(p, merged[i], arg);
	}
}

void plan_root_sources(struct plan *p)
{
	plan_dir(p, strdup(PEN_ROOT));
	plan_each_shown(p, source, NULL);
}

static void host_root(struct plan *p, unsigned points)
{
	plan_each_shown(p, show, &points);
	for (size_t i = 0; i < ARRAY_LEN(merged); i++) {
		char target[256];
		ssize_t n = readlinkat(p->fs->root, merged[i], target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		plan_link(p, str_printf(FENCE_DIR "/root/%s", merged[i]), strdup(target));
	}
}

// Links on the way stay below the image, the last one is looked at.
static bool is_link(int image, const char *path)
{
	_cleanup_close_ int fd = fs_open_in(image, path, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

// The index of the shown directory that a volume is in, -1: in none.
static int shown_above(const struct launch_volume *v)
{
	const char *path = v->target + 1;

	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		size_t n = strlen(shown[i]);

		if (strncmp(path, shown[i], n) == 0 && path[n] == '/')
			return (int)i;
	}
	return -1;
}

// A directory of the host on the way to a mount point, 0: there is none. In the layer it is open to all: one that is not
// must not become so.
static int check_above(const struct plan *p, const char *path, const char *volume, struct err *err)
{
	_cleanup_close_ int fd = fs_open_in(p->fs->root, path, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : err_sys(err, errno, "volume '%s': look at '/%s'", volume, path);
	if (S_ISLNK(st.st_mode))
		return err_set(
			err,
			ELOOP,
			"volume '%s': '/%s' is a link; name the place it points to",
			volume,
			path
		);
	if (!S_ISDIR(st.st_mode) || (st.st_mode & 0005) != 0005)
		return err_set(
			err,
			EACCES,
			"volume '%s': '/%s' is no directory that is open to all; choose another "
			"place",
			volume,
			path
		);
	return 0;
}

// Makes the mount point of a volume in a shown directory that has nothing there. *points: which of them have some.
static int shown_point(
	struct plan *p, const struct launch_volume *v, unsigned *points, struct err *err
)
{
	const int which = shown_above(v);
	_cleanup_free_ char *path = strdup(v->target + 1);
	_cleanup_close_ int there =
		path != NULL && which >= 0 ? fs_open_in(p->fs->root, path, O_PATH, 0) : -1;

	if (path == NULL)
		return err_oom(err);
	if (which < 0 || there >= 0)
		return 0;
	if (*points == 0)
		plan_dir(p, strdup(POINTS));
	*points |= 1u << which;
	for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (check_above(p, path, v->target, err) < 0)
			return -err->code;
		plan_dir(p, str_printf(POINTS "/%s", path));
		*slash = '/';
	}
	if (v->directory)
		plan_dir(p, str_printf(POINTS "/%s", path));
	else
		plan_fence_step(p, STEP_FILE, str_printf(POINTS "/%s", path), strdup(""))->mode =
			0644;
	return 0;
}

// Makes the mount point of a volume in the layer `top`, unless it is in what is shown. In the image it must
// exist already; crun looks at it again without following links out of the root.
static int volume_point(
	struct plan *p, const struct launch_volume *v, const char *top, int image, struct err *err
)
{
	_cleanup_free_ char *copy = strdup(v->target + 1);
	char *slash = copy;

	if (copy == NULL)
		return err_oom(err);
	if (image < 0 && shown_above(v) >= 0)
		return 0;
	while (slash != NULL) {
		bool last;

		slash = strchr(slash, '/');
		last = slash == NULL;
		if (!last)
			*slash = '\0';
		if (image >= 0 && is_link(image, copy))
			return err_set(
				err,
				ELOOP,
				"volume '%s': '/%s' is a link in the image; name the place it "
				"points to",
				v->target,
				copy
			);
		if (last && !v->directory)
			plan_fence_step(p, STEP_FILE, str_printf("%s/%s", top, copy), strdup(""))
				->mode = 0644;
		else
			plan_dir(p, str_printf("%s/%s", top, copy));
		if (!last)
			*slash++ = '/';
	}
	return 0;
}

// In the lease: no image goes while somebody uses it.
static int note_image(struct plan *p, int image, struct stat *ret, struct err *err)
{
	struct lease *l = &p->lease;

	if (fstat(image, ret) < 0)
		return err_sys(err, errno, "look at image '%s'", p->launch->image);
	snprintf(l->image, sizeof(l->image), "%s", p->launch->image);
	str_plain(l->image);
	l->image_dev = ret->st_dev;
	l->image_ino = ret->st_ino;
	return 0;
}

// Unless the image has its own. Before the mount points of volumes, which may be in there.
static void image_run(struct plan *p, int image)
{
	_cleanup_close_ int run = fs_open_in(image, "var/run", O_PATH | O_NOFOLLOW, 0);

	if (run >= 0)
		return;
	plan_dir(p, strdup(FENCE_DIR "/skeleton/var"));
	plan_link(p, strdup(FENCE_DIR "/skeleton/var/run"), strdup("../run"));
}

// The image under the layer `skeleton`. It is bound first: an overlay takes its layers by path, and
// what is bound can be compared with what was looked at.
static int image_root(struct plan *p, int image, struct err *err)
{
	_cleanup_free_ char *place = NULL;
	struct stat st;

	if (note_image(p, image, &st, err) < 0)
		return -err->code;
	place = plan_take_in(p, "image", p->launch->image, true, true);
	plan_expect(p, st.st_dev, st.st_ino);
	if (place == NULL)
		return err_oom(err);
	plan_dir(p, strdup(FENCE_DIR "/root"));
	plan_fence_step(
		p,
		STEP_OVERLAY,
		strdup(FENCE_DIR "/root"),
		str_printf("lowerdir=" FENCE_DIR "/skeleton:%s", place)
	);
	return 0;
}

// QEMU's root is as that of a program without an image, and what would be the program's it hands to its guest:
// before there is a /sys, which the guest has one of its own.
static int guest_root(struct plan *p, int image, struct err *err)
{
	const char *source = image >= 0 ? p->launch->image : FENCE_DIR "/root";
	_cleanup_free_ char *place = plan_take_in(p, "guest", source, true, true);
	struct stat st;

	if (place == NULL)
		return err_oom(err);
	if (image < 0)
		return 0;
	if (note_image(p, image, &st, err) < 0)
		return -err->code;
	plan_expect(p, st.st_dev, st.st_ino);
	return 0;
}

int plan_root(struct plan *p, struct err *err)
{
	bool guest = site_has(&p->lease.site, SITE_GUEST);
	bool layered = p->launch->image != NULL && !guest;
	const char *top = layered ? FENCE_DIR "/skeleton" : FENCE_DIR "/root";
	_cleanup_close_ int image = -1;
	unsigned points = 0;

	if (p->launch->image != NULL) {
		image = fs_open_in(p->fs->root, p->launch->image, O_PATH | O_DIRECTORY, 0);
		if (image < 0)
			return err_sys(err, errno, "open image '%s'", p->launch->image);
	}
	plan_dir(p, strdup(top));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct step *s;

		if (layered && str_eq(places[i], "var"))
			continue;
		s = plan_fence_step(p, STEP_DIR, str_printf("%s/%s", top, places[i]), NULL);
		// runc gives a tmpfs the mode of the directory it is mounted on
		s->mode = str_eq(places[i], "tmp") ? 01777 : 0755;
	}
	if (!layered) {
		plan_link(p, str_printf("%s/var/run", top), strdup("../run"));
		plan_link(p, str_printf("%s/var/tmp", top), strdup("../tmp"));
		for (unsigned i = 0; !guest && i < p->launch->nvolumes; i++) {
			if (shown_point(p, &p->launch->volumes[i], &points, err) < 0)
				return -err->code;
		}
		host_root(p, points);
	}
	if (layered)
		image_run(p, image);
	for (unsigned i = 0; !guest && i < p->launch->nvolumes; i++) {
		if (volume_point(p, &p->launch->volumes[i], top, image, err) < 0)
			return -err->code;
	}
	if (layered && image_root(p, image, err) < 0)
		return -err->code;
	if (guest && guest_root(p, image, err) < 0)
		return -err->code;
	show_sys(p);
	plan_uio_files(p);
	return 0;
}

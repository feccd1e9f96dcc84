// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the guest's program sees: the image under a layer of memory, the places that a container has, and volumes.

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "inside/vm/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define UPPER "/rw/upper" // the layer of memory
#define P9 "trans=virtio,version=9p2000.L,msize=512000"

static void place(const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		guest_die("make directory '%s': %s", path, strerror(errno));
	chmod(path, mode);
}

static void mount_at(
	const char *source,
	const char *target,
	const char *type,
	unsigned long flags,
	const char *options
)
{
	const int code = mount(source, target, type, flags, options) < 0 ? errno : 0;

	// as its program would call it
	if (code != 0 && str_starts(target, GUEST_ROOT "/"))
		target += strlen(GUEST_ROOT);
	if (code != 0)
		guest_die("mount %s on '%s' (%s): %s", type, target, options, strerror(code));
}

void guest_first_mounts(void)
{
	static const char *const dirs[] = {
		"/dev", "/proc", "/sys", "/host", "/volumes", "/rw", GUEST_ROOT};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		place(dirs[i], 0755);
	mount_at("dev", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
	mount_at("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
	mount_at("sys", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
}

// What the places of a container lie on, whatever the image has there: in the layer of memory, before it is one, so
// that no link of the image is followed. As plan/root.c does it.
static void skeleton(void)
{
	static const char *const dirs[] = {"proc", "sys", "dev", "run", "tmp"};
	_cleanup_close_ int image = open("/host", O_PATH | O_DIRECTORY | O_CLOEXEC), run = -1;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		_cleanup_free_ char *path = str_printf(UPPER "/%s", dirs[i]);

		place(path, 0755);
	}
	// an image may have its own
	run = fs_open_in(image, "var/run", O_PATH | O_NOFOLLOW, 0);
	if (run >= 0)
		return;
	place(UPPER "/var", 0755);
	if (symlink("../run", UPPER "/var/run") < 0)
		guest_die("make link '/var/run': %s", strerror(errno));
}

// The image, read-only, under a layer of memory.
void guest_root_mounts(void)
{
	mount_at("root", "/host", "9p", MS_RDONLY, "cache=loose," P9);
	mount_at("rw", "/rw", "tmpfs", 0, "size=50%,mode=0755");
	place(UPPER, 0755);
	place("/rw/work", 0755);
	skeleton();
	mount_at(
		"root",
		GUEST_ROOT,
		"overlay",
		0,
		"lowerdir=/host,upperdir=" UPPER ",workdir=/rw/work"
	);
}

// Makes room for what the image has of another kind there, in the layer of memory alone: a volume below another one
// changes nothing of the host's.
static void clear(int root, int parent, const char *name)
{
	struct stat top, st;
	struct err unused;

	if (fstat(root, &top) == 0 && fstat(parent, &st) == 0 && st.st_dev == top.st_dev)
		fs_remove_tree(parent, name, &unused);
}

static bool there(int root, const char *path, bool file)
{
	_cleanup_close_ int fd = fs_open_in(root, path, O_PATH, 0);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) == !file;
}

// mkdir -p below the new root; the last one a file, if so. Links are followed, but not out of it.
static void make_below(const char *path, bool file)
{
	_cleanup_close_ int root = open(GUEST_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *copy = strdup(path + 1);
	char *name = copy, *end;

	for (int parent = fcntl(root, F_DUPFD_CLOEXEC, 0); name != NULL;) {
		bool is_file;

		end = strchr(name, '/');
		is_file = file && end == NULL;
		if (end != NULL)
			*end = '\0';
		if (!there(root, copy, is_file)) {
			clear(root, parent, name);
			if (is_file)
				mknodat(parent, name, S_IFREG | 0644, 0);
			else
				mkdirat(parent, name, 0755);
		}
		close(parent);
		parent = end != NULL ? fs_open_in(root, copy, O_PATH | O_DIRECTORY, 0) : -1;
		if (end != NULL)
			*end++ = '/';
		name = end;
	}
}

static void bind_below(const char *from, const char *path, bool readonly)
{
	_cleanup_close_ int root = open(GUEST_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int to = fs_open_in(root, path, O_PATH, 0);
	char self[32];

	snprintf(self, sizeof(self), GUEST_ROOT "/proc/self/fd/%d", to);
	if (to < 0 || mount(from, self, NULL, MS_BIND | MS_REC, NULL) < 0)
		guest_die("mount '%s': %s", path, strerror(errno));
	if (readonly) {
		_cleanup_close_ int top = fs_open_in(root, path, O_PATH, 0);

		snprintf(self, sizeof(self), GUEST_ROOT "/proc/self/fd/%d", top);
		if (mount(NULL, self, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
			guest_die("mount '%s' read-only: %s", path, strerror(errno));
	}
}

void guest_volumes(const json_t *list)
{
	const json_t *e;
	size_t i;

	if (json_array_size(list) > 0)
		mount_at("volumes", "/volumes", "9p", 0, "cache=none," P9);
	json_array_foreach (list, i, e) {
		_cleanup_free_ char *from = str_printf("/volumes/%zu", i);

		make_below(json_text(e, "target", ""), json_is_true(json_object_get(e, "file")));
		bind_below(
			from,
			json_text(e, "target", ""),
			json_is_true(json_object_get(e, "readonly"))
		);
	}
}

static void grant_file(const json_t *grant)
{
	_cleanup_free_ char *text = json_dumps(grant, JSON_INDENT(2));
	_cleanup_close_ int fd =
		open(GUEST_ROOT "/run/pinfold/grant.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (text == NULL || fd < 0 || write(fd, text, strlen(text)) < 0)
		guest_die("write the grant");
}

// As plan/mounts.c gives them to a container.
void guest_places(const json_t *setup)
{
	static const struct {
		const char *target, *type, *options;
		unsigned long flags;
		mode_t mode;
	} rows[] = {
		{GUEST_ROOT "/tmp", "tmpfs", "mode=1777,size=64m", MS_NOSUID | MS_NODEV, 01777},
		{GUEST_ROOT "/dev/pts",
		 "devpts",
		 "mode=0620,ptmxmode=0666,gid=5",
		 MS_NOSUID | MS_NOEXEC,
		 0755},
		{GUEST_ROOT "/dev/shm",
		 "tmpfs",
		 "mode=1777,size=64m",
		 MS_NOSUID | MS_NODEV | MS_NOEXEC,
		 01777},
		{GUEST_ROOT "/dev/mqueue", "mqueue", "", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0755},
	};
	static const char *const moved[] = {"/dev", "/proc", "/sys"};
	static const char *const links[][2] = {
		{"/proc/self/fd", GUEST_ROOT "/dev/fd"},
		{"/proc/self/fd/0", GUEST_ROOT "/dev/stdin"},
		{"/proc/self/fd/1", GUEST_ROOT "/dev/stdout"},
		{"/proc/self/fd/2", GUEST_ROOT "/dev/stderr"},
	};
	const json_t *pages = json_object_get(setup, "hugetlbfs"), *e;
	char run[64];
	size_t i;

	for (i = 0; i < ARRAY_LEN(moved); i++) {
		_cleanup_free_ char *to = str_printf(GUEST_ROOT "%s", moved[i]);

		if (mount(moved[i], to, NULL, MS_MOVE, NULL) < 0)
			guest_die("move '%s': %s", moved[i], strerror(errno));
	}
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		place(rows[i].target, rows[i].mode);
		mount_at("pinfold", rows[i].target, rows[i].type, rows[i].flags, rows[i].options);
	}
	for (i = 0; i < ARRAY_LEN(links); i++) {
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			guest_die("make link '%s': %s", links[i][1], strerror(errno));
	}
	snprintf(
		run,
		sizeof(run),
		"mode=0755,size=16m,uid=%d,gid=%d",
		(int)json_integer_value(json_object_get(setup, "uid")),
		(int)json_integer_value(json_object_get(setup, "gid"))
	);
	mount_at("pinfold", GUEST_ROOT "/run", "tmpfs", MS_NOSUID | MS_NODEV, run);
	place(GUEST_ROOT "/run/pinfold", 0755);
	mount_at(
		"pinfold",
		GUEST_ROOT "/run/pinfold",
		"tmpfs",
		MS_NOSUID | MS_NODEV,
		"mode=0755,size=4m"
	);
	grant_file(json_object_get(setup, "grant"));
	make_below("/run/pinfold/inside", true);
	bind_below("/init", "/run/pinfold/inside", true);
	json_array_foreach (pages, i, e) {
		_cleanup_free_ char *to = str_printf(GUEST_ROOT "%s", json_text(e, "path", ""));

		place(to, 0755);
		mount_at(
			"pinfold",
			to,
			"hugetlbfs",
			MS_NOSUID | MS_NODEV | MS_NOEXEC,
			json_text(e, "options", "")
		);
	}
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/tree.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "image/interrupt.h"
#include "image/ldcache.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define COPY_STEP (8u << 20)

static const char *const merged[] = {"/bin", "/sbin", "/lib", "/lib64"};

static const struct {
	const char *path;
	mode_t mode;
} directories[] = {
	{"dev", 0755},
	{"etc", 0755},
	{"proc", 0755},
	{"run", 0755},
	{"sys", 0755},
	{"tmp", 01777},
	{"usr", 0755},
	{"usr/bin", 0755},
	{"usr/lib", 0755},
	{"usr/sbin", 0755},
	{"var", 0755},
	{"var/tmp", 01777},
};

static const struct {
	const char *name, *text;
} files[] = {
	{"passwd",
	 "root:x:0:0:root:/:/usr/sbin/nologin\n"
	 "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"},
	{"group", "root:x:0:\nnogroup:x:65534:\n"},
	{"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
};

int tree_base(struct entries *s, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(merged); i++) {
		char text[PATH_MAX];
		ssize_t n = readlink(merged[i], text, sizeof(text) - 1);

		if (n <= 0)
			continue;
		text[n] = '\0';
		if (entries_link(s, merged[i], text, err) < 0)
			return -err->code;
	}
	return entries_link(s, "/var/run", "../run", err);
}

// Makes what is missing of a directory, and opens it. No link is followed: one in its place, which a
// path that was exchanged meanwhile can leave, could lead out of the image.
static int make_dirs(int root, const char *path, struct err *err)
{
	_cleanup_close_ int fd = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *copy = strdup(path);
	char *save = NULL;

	if (copy == NULL)
		return err_oom(err);
	for (char *name = strtok_r(copy, "/", &save); name != NULL && fd >= 0;
	     name = strtok_r(NULL, "/", &save)) {
		bool made = mkdirat(fd, name, 0755) == 0;
		int next;

		if (!made && errno != EEXIST)
			return err_sys(err, errno, "make directory '/%s' of the image", path);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		close(fd);
		fd = next;
		// the umask may have taken rights away
		if (made && fd >= 0 && fchmod(fd, 0755) < 0)
			return err_sys(err, errno, "make directory '/%s' of the image", path);
	}
	if (fd < 0)
		return err_sys(err, errno, "open directory '/%s' of the image", path);
	return steal_fd(&fd);
}

// The directory that path is in. *ret: its last component.
static int make_parent(int root, const char *path, const char **ret, struct err *err)
{
	_cleanup_free_ char *dir = strdup(path + 1);
	char *slash;

	if (dir == NULL)
		return err_oom(err);
	slash = strrchr(dir, '/');
	if (slash != NULL)
		*slash = '\0';
	*ret = strrchr(path, '/') + 1;
	return make_dirs(root, slash != NULL ? dir : "", err);
}

// From where `from` and `to` stand.
static int copy_data(int from, int to, uint64_t left, const struct entry *e, struct err *err)
{
	while (left > 0) {
		ssize_t n = sendfile(to, from, NULL, left < COPY_STEP ? left : COPY_STEP);

		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "copy '%s' to the image", e->path);
		if (image_interrupted(err) < 0)
			return -err->code;
		if (n == 0)
			break; // it was cut short, and so changed
		left -= n > 0 ? (uint64_t)n : 0;
	}
	return 0;
}

// Whoever may write to the file could have it grow for ever: its size is known. Its holes stay holes: a small
// file could else fill a disk.
static int copy_bytes(int from, int to, const struct entry *e, struct err *err)
{
	const off_t size = (off_t)e->bytes;

	for (off_t at = 0, hole; at < size; at = hole) {
		off_t data = lseek(from, at, SEEK_DATA);

		if (data < 0 && errno == ENXIO) // nothing but a hole from here on
			break;
		data = data < 0 ? at : data; // a file system that does not tell
		hole = lseek(from, data, SEEK_HOLE);
		hole = hole < 0 || hole > size ? size : hole;
		if (data >= hole)
			break;
		if (lseek(from, data, SEEK_SET) < 0 || lseek(to, data, SEEK_SET) < 0)
			return err_sys(err, errno, "copy '%s' to the image", e->path);
		if (copy_data(from, to, (uint64_t)(hole - data), e, err) < 0)
			return -err->code;
	}
	return ftruncate(to, size) == 0 ? 0
					: err_sys(err, errno, "copy '%s' to the image", e->path);
}

static int copy_file(int dir, const char *name, const struct entry *e, struct err *err)
{
	_cleanup_close_ int from = entries_open(e, err), to = -1;
	struct timespec times[2];
	struct stat st;

	if (from < 0)
		return from;
	if (fstat(from, &st) < 0)
		return err_sys(err, errno, "read '%s'", e->path);
	to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return err_sys(err, errno, "write '%s' of the image", e->path);
	if (copy_bytes(from, to, e, err) < 0 || entries_check(e, from, err) < 0)
		return -err->code;
	times[0] = times[1] = st.st_mtim;
	if (fchown(to, 0, 0) < 0 || fchmod(to, st.st_mode & 0777) < 0 || futimens(to, times) < 0)
		return err_sys(err, errno, "write '%s' of the image", e->path);
	return 0;
}

static int write_entry(int root, const struct entry *e, struct err *err)
{
	const char *name = NULL;
	_cleanup_close_ int dir = make_parent(root, e->path, &name, err);

	if (dir < 0)
		return dir;
	if (e->link == NULL)
		return copy_file(dir, name, e, err);
	if (symlinkat(e->link, dir, name) < 0)
		return err_sys(err, errno, "write link '%s' of the image", e->path);
	return 0;
}

static int write_directories(int root, const struct entries *s, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		_cleanup_close_ int fd = make_dirs(root, directories[i].path, err);

		if (fd < 0)
			return fd;
		if (fchmod(fd, directories[i].mode) < 0)
			return err_sys(
				err, errno, "make directory '/%s' of the image", directories[i].path
			);
	}
	// What the links lead to, or the directories themselves where there are no links.
	for (size_t i = 0; i < ARRAY_LEN(merged); i++) {
		const struct entry *e = entries_find(s, merged[i]);
		_cleanup_free_ char *target =
			str_printf("%s%s", e != NULL && e->link != NULL ? "usr" : "", merged[i]);
		_cleanup_close_ int fd = target != NULL ? make_dirs(root, target, err) : -1;

		if (target == NULL)
			return err_oom(err);
		if (fd < 0)
			return fd;
	}
	return 0;
}

static int write_etc(int root, const struct entries *s, struct err *err)
{
	_cleanup_close_ int etc = make_dirs(root, "etc", err);

	if (etc < 0)
		return etc;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_free_ char *path = str_printf("/etc/%s", files[i].name);

		if (path == NULL)
			return err_oom(err);
		// A file that was asked for goes before ours.
		if (entries_find(s, path) == NULL
		    && fs_write_atomic(
			       etc, files[i].name, files[i].text, strlen(files[i].text), 0644, err
		       ) < 0)
			return -err->code;
	}
	return 0;
}

// Without its cache the loader looks only in the usual folders, and longer.
static int write_loader_cache(
	int root, const struct entries *s, const struct ldconf *conf, struct err *err
)
{
	_cleanup_free_ char *cache = NULL;
	_cleanup_close_ int etc = -1;
	size_t len;

	if (entries_find(s, "/etc/ld.so.cache") != NULL)
		return 0;
	if (cache_make(s, conf, &cache, &len, err) < 0)
		return -err->code;
	if (cache == NULL)
		return 0;
	etc = make_dirs(root, "etc", err);
	if (etc < 0)
		return etc;
	return fs_write_atomic(etc, "ld.so.cache", cache, len, 0644, err);
}

int tree_write(int root, const struct entries *s, const struct ldconf *conf, struct err *err)
{
	for (size_t i = 0; i < s->n; i++)
		if (image_interrupted(err) < 0 || write_entry(root, &s->v[i], err) < 0)
			return -err->code;
	if (write_directories(root, s, err) < 0 || write_etc(root, s, err) < 0)
		return -err->code;
	return write_loader_cache(root, s, conf, err);
}

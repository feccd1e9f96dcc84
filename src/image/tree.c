// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/tree.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "image/closure.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
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

// The directories above path, from the root of the image. Entries have no links on their way.
static int make_parents(int root, const char *path, struct err *err)
{
	_cleanup_free_ char *dir = strdup(path + 1);

	if (dir == NULL)
		return err_oom(err);
	for (char *slash = strchr(dir, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(root, dir, 0755) == 0) {
			if (fchmodat(root, dir, 0755, 0) < 0)
				return err_sys(err, errno, "make directory '/%s'", dir);
		} else if (errno != EEXIST) {
			return err_sys(err, errno, "make directory '/%s' of the image", dir);
		}
		*slash = '/';
	}
	return 0;
}

static int interrupted(struct err *err)
{
	sigset_t set;

	sigpending(&set);
	if (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP))
		return err_set(err, EINTR, "build image: interrupted");
	return 0;
}

static int copy_bytes(int from, int to, const char *path, struct err *err)
{
	ssize_t n;

	do {
		n = sendfile(to, from, NULL, COPY_STEP);
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "copy '%s' to the image", path);
		if (interrupted(err) < 0)
			return -err->code;
	} while (n != 0);
	return 0;
}

static int copy_file(int root, const char *path, struct err *err)
{
	_cleanup_close_ int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_close_ int to = -1;
	struct timespec times[2];
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(err, errno, "read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "read '%s': no longer a regular file", path);
	to = openat(root, path + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return err_sys(err, errno, "write '%s' of the image", path);
	if (copy_bytes(from, to, path, err) < 0)
		return -err->code;
	times[0] = times[1] = st.st_mtim;
	if (fchown(to, 0, 0) < 0 || fchmod(to, st.st_mode & 0777) < 0 || futimens(to, times) < 0)
		return err_sys(err, errno, "write '%s' of the image", path);
	return 0;
}

static int write_entry(int root, const struct entry *e, struct err *err)
{
	if (make_parents(root, e->path, err) < 0)
		return -err->code;
	if (e->link == NULL)
		return copy_file(root, e->path, err);
	if (symlinkat(e->link, root, e->path + 1) < 0)
		return err_sys(err, errno, "write link '%s' of the image", e->path);
	return 0;
}

static int write_directories(int root, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		if ((mkdirat(root, directories[i].path, 0755) < 0 && errno != EEXIST)
		    || fchmodat(root, directories[i].path, directories[i].mode, 0) < 0)
			return err_sys(
				err, errno, "make directory '/%s' of the image", directories[i].path
			);
	// What the links lead to, or the directories themselves where there are no links.
	for (size_t i = 0; i < ARRAY_LEN(merged); i++) {
		_cleanup_free_ char *target = str_printf("usr%s", merged[i]);
		struct stat st;

		if (target == NULL)
			return err_oom(err);
		if (fstatat(root, merged[i] + 1, &st, AT_SYMLINK_NOFOLLOW) < 0)
			snprintf(target, strlen(target) + 1, "%s", merged[i] + 1);
		if (mkdirat(root, target, 0755) < 0 && errno != EEXIST)
			return err_sys(err, errno, "make directory '/%s' of the image", target);
	}
	return 0;
}

static int write_etc(int root, const struct entries *s, struct err *err)
{
	_cleanup_close_ int etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (etc < 0)
		return err_sys(err, errno, "open '/etc' of the image");
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
static int write_loader_cache(int root, const char *path, const struct entries *s, struct err *err)
{
	char *const argv[] = {
		(char *)"/sbin/ldconfig", (char *)"-X", (char *)"-r", (char *)path, NULL};
	_cleanup_close_ int cache = -1;
	_cleanup_free_ char *out = NULL;
	int status;

	// An image of static programs has no loader.
	if (entries_find(s, "/etc/ld.so.conf") == NULL)
		return 0;
	status = closure_output(argv, &out, err);
	if (status < 0)
		return err_wrap(err, "make the library cache of the image");
	if (status != 0)
		return err_set(
			err,
			EIO,
			"make the library cache of the image: 'ldconfig -X -r %s' failed",
			path
		);
	// ldconfig leaves a cache of its own.
	cache = openat(root, "var/cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (cache >= 0 && fs_remove_tree(cache, "ldconfig", err) < 0)
		return -err->code;
	if (unlinkat(root, "var/cache", AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY)
		return err_sys(err, errno, "remove '/var/cache' of the image");
	return 0;
}

int tree_write(int root, const char *path, const struct entries *s, struct err *err)
{
	for (size_t i = 0; i < s->n; i++)
		if (interrupted(err) < 0 || write_entry(root, &s->v[i], err) < 0)
			return -err->code;
	if (write_directories(root, err) < 0 || write_etc(root, s, err) < 0)
		return -err->code;
	return write_loader_cache(root, path, s, err);
}

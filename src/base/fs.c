// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/fs.h"
#include "base/dir.h"

#include "base/scope.h"
#include "base/str.h"
#include "base/write.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS_MAX 40 // as the kernel has it

#define WALK_LINK (-2)

// One name of a path, without following it. A link: its target goes before what is left of the path,
// and WALK_LINK is returned.
static int walk_one(
	int at, const char *name, int flags, mode_t mode, uint64_t resolve, char rest[PATH_MAX]
)
{
	char target[PATH_MAX];
	size_t left = strlen(rest);
	ssize_t n =
		(flags & O_NOFOLLOW) != 0 ? -1 : readlinkat(at, name, target, sizeof(target) - 1);

	if (n < 0)
		return openat(at, name, flags | O_NOFOLLOW, mode);
	target[n] = '\0';
	if ((resolve & RESOLVE_NO_SYMLINKS) != 0)
		errno = ELOOP;
	else if (target[0] == '/')
		errno = EXDEV;
	else if ((size_t)n + left + 1 > PATH_MAX)
		errno = ENAMETOOLONG;
	else {
		memmove(rest + n, rest, left + 1);
		memcpy(rest, target, (size_t)n);
		return WALK_LINK;
	}
	return -1;
}

// Where there is no openat2(2): name by name. Stricter than that: no "..", no absolute link.
static int walk(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	_cleanup_close_ int at = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char rest[PATH_MAX], name[NAME_MAX + 1];
	unsigned links = 0;

	if (at < 0)
		return -1;
	if (path[0] == '\0' || strlen(path) >= sizeof(rest)
	    || (path[0] == '/' && (resolve & RESOLVE_IN_ROOT) == 0)) {
		errno = path[0] == '/' ? EXDEV : path[0] == '\0' ? ENOENT : ENAMETOOLONG;
		return -1;
	}
	strcpy(rest, path);
	for (;;) {
		char *p = rest + strspn(rest, "/");
		size_t n = strcspn(p, "/");
		bool last = p[n + strspn(p + n, "/")] == '\0';
		int more = last ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC, fd;

		if (n > NAME_MAX || (n == 2 && memcmp(p, "..", 2) == 0)) {
			errno = n > NAME_MAX ? ENAMETOOLONG : EXDEV;
			return -1;
		}
		memcpy(name, n > 0 ? p : ".", n > 0 ? n : 1);
		name[n > 0 ? n : 1] = '\0';
		memmove(rest, p + n, strlen(p + n) + 1);
		if (n > 0 && last && rest[0] == '/')
			more |= O_DIRECTORY;
		fd = walk_one(at, name, more, mode, resolve, rest);
		if (fd == WALK_LINK && ++links <= LINKS_MAX)
			continue;
		if (fd == WALK_LINK) {
			errno = ELOOP;
			return -1;
		}
		if (fd < 0 || last)
			return fd;
		close(at);
		at = fd;
	}
}

static int open_with(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		// O_TMPFILE holds the bit of O_DIRECTORY; openat2 refuses a mode it has no use for
		.mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
		.resolve = resolve,
	};
	int fd = -1;

	// EAGAIN: a rename or mount anywhere raced with a ".." in the path
	for (int i = 0; i < 64; i++) {
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0 && errno == ENOSYS)
		fd = walk(dirfd, path, (int)how.flags, (mode_t)how.mode, resolve);
	return fd;
}

int fs_open_in(int dirfd, const char *path, int flags, mode_t mode)
{
	return open_with(dirfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int fs_open_below(int dirfd, const char *path, int flags, mode_t mode, bool links)
{
	uint64_t no_links = links ? 0 : RESOLVE_NO_SYMLINKS;

	return open_with(
		dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | no_links
	);
}

int fs_open_here(int dirfd, const char *name, int flags)
{
	const struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

int fs_open_regular(int fd)
{
	char self[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	// the same file, whatever is at its path by now
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

int fs_read_fd(int fd, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, room = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		if (len + 1 >= room) {
			char *more;

			room = room == 0 ? 4096 : room * 2;
			more = realloc(buf, room);
			if (more == NULL)
				return -ENOMEM;
			buf = more;
		}
		n = read(fd, buf + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	} while (n != 0);
	buf[len] = '\0';
	*ret = steal_ptr(buf);
	if (ret_len != NULL)
		*ret_len = len;
	return 0;
}

int fs_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_close_ int at = fs_open_in(dirfd, path, O_PATH, 0);
	_cleanup_close_ int fd = at >= 0 ? fs_open_regular(at) : -1;

	return fs_read_fd(fd, max, ret, ret_len);
}

int fs_read_system(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = fs_open_in(dirfd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);

	return fs_read_fd(fd, max, ret, ret_len);
}

int fs_read_file(const char *path, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *cwd = path[0] != '/' ? getcwd(NULL, 0) : NULL, *whole = NULL;

	if (root < 0 || (path[0] != '/' && cwd == NULL))
		return -errno;
	if (cwd != NULL)
		whole = str_printf("%s/%s", cwd, path);
	if (cwd != NULL && whole == NULL)
		return -ENOMEM;
	return fs_read(root, whole != NULL ? whole : path, max, ret, ret_len);
}

// The name of an entry of a directory: no path, and not the directory itself or its parent.
static bool plain_name(const char *name)
{
	return name[0] != '\0' && strchr(name, '/') == NULL && !str_eq(name, ".")
	       && !str_eq(name, "..");
}

enum lasting {
	WRITE_FLEETING,
	WRITE_ATOMIC,
	WRITE_DURABLE,
};

// ext4 writes a file out at once when it is renamed over another, and has its blocks to free when that goes;
// of two that change places it does not.
static int put_at(int dirfd, const char *tmp, const char *name, enum lasting how)
{
	if (how == WRITE_FLEETING) {
		if (renameat2(dirfd, tmp, dirfd, name, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno == EEXIST && renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE) == 0) {
			if (unlinkat(dirfd, tmp, 0) == 0)
				return 0;
			// what was there is no file: it stays
			renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE);
		}
		// a file system without them
	}
	return renameat(dirfd, tmp, dirfd, name) == 0 ? 0 : -errno;
}

// With the directory, which the caller may have by a descriptor alone.
static int refuse_write(int dirfd, const char *name, int code, struct err *err)
{
	char link[32], dir[PATH_MAX] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	if (dirfd >= 0 && readlink(link, dir, sizeof(dir) - 1) > 0)
		return err_sys(err, code, "write '%s/%s'", dir, name);
	return err_sys(err, code, "write '%s'", name);
}

static int write_renamed(
	int dirfd,
	const char *name,
	const char *data,
	size_t len,
	mode_t mode,
	enum lasting how,
	struct err *err
)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (!plain_name(name))
		return err_set(err, EINVAL, "write '%s': not the name of a file", name);
	tmp = str_printf(".%s.%d.tmp", name, (int)getpid());
	if (tmp == NULL)
		return err_oom(err);
	fd = openat(dirfd, tmp, flags, mode);
	if (fd < 0 && errno == EEXIST && unlinkat(dirfd, tmp, 0) == 0)
		fd = openat(dirfd, tmp, flags, mode);
	if (fd < 0)
		return refuse_write(dirfd, name, errno, err);
	r = write_all(fd, data, len);
	if (r == 0 && (fchmod(fd, mode) < 0 || (how == WRITE_DURABLE && fsync(fd) < 0)))
		r = -errno;
	if (r == 0)
		r = put_at(dirfd, tmp, name, how);
	if (r < 0) {
		unlinkat(dirfd, tmp, 0);
		return refuse_write(dirfd, name, -r, err);
	}
	return 0;
}

int fs_write_atomic(
	int dirfd, const char *name, const char *data, size_t len, mode_t mode, struct err *err
)
{
	return write_renamed(dirfd, name, data, len, mode, WRITE_ATOMIC, err);
}

int fs_write_durable(
	int dirfd, const char *name, const char *data, size_t len, mode_t mode, struct err *err
)
{
	return write_renamed(dirfd, name, data, len, mode, WRITE_DURABLE, err);
}

int fs_write_fleeting(
	int dirfd, const char *name, const char *data, size_t len, mode_t mode, struct err *err
)
{
	return write_renamed(dirfd, name, data, len, mode, WRITE_FLEETING, err);
}

int fs_write_value(const char *path, const char *value)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 ? write_once(fd, value, strlen(value)) : -errno;
}

int fs_write_control(int dirfd, const char *path, const char *value, struct err *err)
{
	_cleanup_close_ int fd = fs_open_in(dirfd, path, O_WRONLY, 0);
	int r;

	if (fd < 0)
		return err_sys(err, errno, "open '%s' to write '%s'", path, value);
	r = write_once(fd, value, strlen(value));
	return r < 0 ? err_sys(err, -r, "write '%s' to '%s'", value, path) : 0;
}

int fs_mkdirs(const char *path, mode_t mode, struct err *err)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd = -1;
	int last;

	if (copy == NULL)
		return err_oom(err);
	if (path[0] != '/')
		return err_set(err, EINVAL, "make directory '%s': not an absolute path", path);
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	str_foreach (part, copy, "/") {
		int next;

		if (mkdirat(fd, part, mode) < 0 && errno != EEXIST)
			return err_sys(err, errno, "make directory '%s'", path);
		next = openat(fd, part, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (next < 0)
			return err_sys(err, errno, "make directory '%s'", path);
		close(fd);
		fd = next;
	}
	last = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (last < 0)
		return err_sys(err, errno, "open directory '%s'", path);
	return last;
}

// A directory to be emptied: no link, and no mount point. The device number would not tell a bind
// mount of the same file system, whose files are somebody else's.
static int open_own_dir(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

#define REMOVE_DEPTH 64 // directories open at a time

// A tree being removed. What lies deeper than REMOVE_DEPTH is moved up to its top: whoever filled the
// tree could make it deeper than we have descriptors and stack for.
struct removal {
	int top; // -1 until the first directory is open
	unsigned moved;
};

static int remove_entry(struct removal *rm, int dirfd, const char *name, unsigned depth);

// Takes fd over. Removes what it can, and returns the first error.
static int remove_below(struct removal *rm, int fd, unsigned depth)
{
	_cleanup_closedir_ DIR *d = dir_take(fd);
	struct dirent *e;
	int r = 0;

	if (d == NULL)
		return -errno;
	while ((e = dir_next(d)) != NULL) {
		int one = remove_entry(rm, dirfd(d), e->d_name, depth + 1);
		if (r == 0)
			r = one;
	}
	return r == 0 ? -errno : r;
}

static int move_up(struct removal *rm, int dirfd, const char *name)
{
	char to[32];

	do {
		snprintf(to, sizeof(to), ".deep-%u", rm->moved++);
		if (renameat2(dirfd, name, rm->top, to, RENAME_NOREPLACE) == 0)
			return 0;
	} while (errno == EEXIST);
	return -errno;
}

static int remove_entry(struct removal *rm, int dirfd, const char *name, unsigned depth)
{
	unsigned moved;
	int fd, r, why;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	// Linux says EISDIR of a directory, other file systems say EPERM as POSIX does
	why = errno;
	if (why != EISDIR && why != EPERM)
		return -why;
	if (depth >= REMOVE_DEPTH)
		return move_up(rm, dirfd, name);
	do {
		fd = open_own_dir(dirfd, name);
		if (fd < 0)
			return errno == ENOENT ? 0 : errno == ENOTDIR ? -why : -errno;
		if (depth == 0 && rm->top < 0)
			rm->top = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		moved = rm->moved;
		r = remove_below(rm, fd, depth);
	} while (depth == 0 && r == 0 && rm->moved != moved);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int fs_remove_tree(int dirfd, const char *name, struct err *err)
{
	struct removal rm = {.top = -1};
	int r;

	if (!plain_name(name))
		return err_set(err, EINVAL, "remove '%s': not the name of a file", name);
	r = remove_entry(&rm, dirfd, name, 0);
	scope_close(&rm.top);
	if (r < 0)
		return err_sys(err, -r, "remove '%s'", name);
	return 0;
}

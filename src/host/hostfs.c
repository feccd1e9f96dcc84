// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/hostfs.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

int hostfs_open(const char *root, struct hostfs *ret, struct err *err)
{
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open host tree '%s'", root);
	ret->root = fd;
	ret->real = str_eq(root, "/");
	return 0;
}

void hostfs_close(struct hostfs *fs)
{
	if (fs->root >= 0)
		close(fs->root);
	fs->root = -1;
}

// openat2 says EAGAIN when anything on the machine was renamed or mounted while it walked over "..",
// which the links in /sys have.
static int open_in(int at, const char *path, int flags)
{
	int fd = -1;

	for (int tries = 0; tries < 16; tries++) {
		fd = fs_open_in(at, path, flags, 0);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

int hostfs_dir(int at, const char *path)
{
	int fd = open_in(at, path, O_PATH | O_DIRECTORY);

	return fd >= 0 ? fd : -errno;
}

DIR *hostfs_opendir(int at, const char *path)
{
	return dir_take(open_in(at, path, O_RDONLY | O_DIRECTORY));
}

FILE *hostfs_fopen(int at, const char *path)
{
	_cleanup_close_ int fd = open_in(at, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	FILE *f;

	if (fd < 0)
		return NULL;
	f = fdopen(fd, "r");
	if (f != NULL)
		steal_fd(&fd);
	return f;
}

const char *hostfs_next(DIR *d)
{
	struct dirent *e = dir_next(d);

	return e != NULL ? e->d_name : NULL;
}

// Reads until the end of the file or, if line, until the first newline: most files of /sys are one
// line, and the read that would only say "end of file" is saved.
static int read_some(int at, const char *path, bool line, char *buf, size_t len)
{
	_cleanup_close_ int fd = open_in(at, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	size_t have = 0;

	if (fd < 0)
		return -errno;
	while (have + 1 < len) {
		ssize_t n = read(fd, buf + have, len - have - 1);
		char *newline;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf[have + (size_t)n] = '\0';
		newline = line ? memchr(buf + have, '\n', (size_t)n) : NULL;
		if (newline != NULL)
			*newline = '\0';
		if (n == 0 || newline != NULL)
			return 0;
		have += (size_t)n;
	}
	return -EFBIG;
}

int hostfs_text(int at, const char *path, char *buf, size_t len)
{
	return read_some(at, path, false, buf, len);
}

int hostfs_line(int at, const char *path, char *buf, size_t len)
{
	return read_some(at, path, true, buf, len);
}

int host_parse_u64(const char *s, int base, const char *stops, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	// strtoull takes white space and signs
	if ((*s < '0' || *s > '9') && (base != 16 || strchr("abcdefABCDEF", *s) == NULL))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, base);
	if (errno != 0 || end == s || (*end != '\0' && strchr(stops, *end) == NULL))
		return -EINVAL;
	*ret = v;
	return 0;
}

int hostfs_u64(int at, const char *path, uint64_t *ret)
{
	char buf[64];
	int r = hostfs_line(at, path, buf, sizeof(buf));

	if (r < 0)
		return r;
	if (str_starts(buf, "0x"))
		return host_parse_u64(buf + 2, 16, " ", ret);
	return host_parse_u64(buf, 10, " ", ret);
}

int hostfs_int(int at, const char *path, int *ret)
{
	char buf[64];
	bool negative;
	uint64_t v;
	int r = hostfs_line(at, path, buf, sizeof(buf));

	if (r < 0)
		return r;
	negative = buf[0] == '-';
	if (host_parse_u64(buf + negative, 10, " ", &v) < 0 || v > INT_MAX)
		return -EINVAL;
	*ret = negative ? -(int)v : (int)v;
	return 0;
}

int hostfs_idset(int at, const char *path, unsigned limit, struct idset *ret)
{
	char buf[IDSET_STR + 64];
	int r = hostfs_line(at, path, buf, sizeof(buf));

	if (r < 0)
		return r;
	// padded to as many characters as there may be CPUs: of many, only the blanks are left
	if (str_eq(buf + strspn(buf, " "), "(null)"))
		buf[0] = '\0';
	return idset_parse_below(buf, limit, ret);
}

int hostfs_link(int at, const char *path, char *buf, size_t len)
{
	_cleanup_close_ int fd = open_in(at, path, O_PATH | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = readlinkat(fd, "", buf, len);
	if (n < 0)
		return errno == ENOENT ? -EINVAL : -errno; // ENOENT: there, but not a link
	if ((size_t)n >= len)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 0;
}

int hostfs_link_name(int at, const char *path, char *buf, size_t len)
{
	char target[1024];
	const char *slash;
	int r = hostfs_link(at, path, target, sizeof(target));

	if (r < 0)
		return r;
	slash = strrchr(target, '/');
	// a name that is cut is still better than none: "" would say that there is no driver
	snprintf(buf, len, "%s", slash != NULL ? slash + 1 : target);
	return 0;
}

void hostfs_boot_id(int root, char ret[static HOST_BOOT_ID])
{
	if (hostfs_line(root, "proc/sys/kernel/random/boot_id", ret, HOST_BOOT_ID) < 0)
		ret[0] = '\0';
}

uint64_t host_meminfo(const char *text, const char *name)
{
	size_t n = strlen(name);
	uint64_t kb;

	for (const char *p = text; (p = strstr(p, name)) != NULL; p += n) {
		const char *v = p + n;

		if ((p != text && p[-1] != ' ' && p[-1] != '\n') || *v != ':')
			continue;
		v += 1 + strspn(v + 1, " \t");
		if (host_parse_u64(v, 10, " \n", &kb) < 0 || kb > UINT64_MAX / 1024)
			return 0;
		return kb * 1024;
	}
	return 0;
}

int host_parse_mask(const char *s, struct idset *ret)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strcspn(s, "\n");
	struct idset set = {0};
	unsigned bit = 0;

	for (const char *end = s + n; end > s; end--) {
		const char *at = strchr(digits, end[-1]);

		if (end[-1] == ',')
			continue;
		if (at == NULL || *at == '\0')
			return -EINVAL;
		for (unsigned i = 0; i < 4; i++) {
			if (((at - digits) >> i & 1) != 0)
				idset_add(&set, bit + i);
		}
		bit += 4;
	}
	if (bit == 0)
		return -EINVAL;
	*ret = set;
	return 0;
}

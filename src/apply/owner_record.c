// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// "BOOT:UID:GID:MODE:LEASE:DEVICE:INODE:HANDLE:/PATH", all but the mode decimal, in a file for each range and path.

#include "apply/owner_record.h"

#include "base/fs.h"
#include "base/scope.h"
#include "host/hostfs.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RECORDS "/var/lib/pinfold/given"
#define RECORD_MAX (PATH_MAX + 512)

static const char *name_of(uint32_t uid, const char *path, char ret[static 32])
{
	snprintf(
		ret, 32, "%u-%016llx", uid - uid % IDS_PER_LEASE, (unsigned long long)str_hash(path)
	);
	return ret;
}

static int open_records(void)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fs_open_in(root, RECORDS, O_RDONLY | O_DIRECTORY, 0);
}

// ---- what the file system calls a directory, by whatever path

union handle {
	struct file_handle of;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static const char *handle_of(int fd, char ret[static HANDLE_STR])
{
	union handle h = {.of = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount;

	strcpy(ret, "-");
	if (name_to_handle_at(fd, "", &h.of, &mount, AT_EMPTY_PATH) < 0)
		return ret;
	snprintf(ret, HANDLE_STR, "%d.", h.of.handle_type);
	for (unsigned i = 0; i < h.of.handle_bytes; i++)
		str_add(ret, HANDLE_STR, "", "%02x", h.of.f_handle[i]);
	return ret;
}

static int handle_parse(const char *text, union handle *ret)
{
	int n = 0;

	if (sscanf(text, "%d.%n", &ret->of.handle_type, &n) != 1 || n == 0)
		return -EINVAL;
	for (ret->of.handle_bytes = 0; ret->of.handle_bytes < MAX_HANDLE_SZ && text[n] != '\0';
	     n += 2) {
		unsigned byte;

		if (sscanf(text + n, "%2x", &byte) != 1 || text[n + 1] == '\0')
			return -EINVAL;
		ret->of.f_handle[ret->of.handle_bytes++] = (unsigned char)byte;
	}
	return 0;
}

// ----

int owner_record_write(
	uint32_t uid,
	const char *lease,
	const char *path,
	int fd,
	const struct stat *st,
	struct err *err
)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), dir = -1;
	_cleanup_free_ char *text = NULL;
	char name[32], boot[HOST_BOOT_ID], handle[HANDLE_STR];
	int r;

	hostfs_boot_id(root, boot);
	text = str_printf(
		"%s:%u:%u:%04o:%s:%llu:%llu:%s:%s\n",
		boot,
		st->st_uid,
		st->st_gid,
		st->st_mode & 07777,
		lease,
		(unsigned long long)st->st_dev,
		(unsigned long long)st->st_ino,
		handle_of(fd, handle),
		path
	);
	if (text == NULL)
		return err_oom(err);
	r = dir = fs_mkdirs(RECORDS, 0700, err);
	if (dir >= 0)
		r = fs_write_durable(dir, name_of(uid, path, name), text, strlen(text), 0600, err);
	// where nothing can be written down it is as if there were nothing
	if (r < 0 && r != -EROFS)
		return err_wrap(err, "volume '%s': write down whose it is", path);
	return 0;
}

// A path may have any character in it.
static bool parse(const char *entry, char *text, const char *boot, struct owner_record *ret)
{
	size_t len = strlen(text), id = strcspn(text, ":");
	int n = 0;

	if (len == 0 || text[len - 1] != '\n' || sscanf(entry, "%u-", &ret->range) != 1)
		return false;
	text[len - 1] = '\0';
	ret->this_boot = id == strlen(boot) && strncmp(text, boot, id) == 0;
	if (sscanf(text + id,
		   ":%u:%u:%o:%48[^:]:%llu:%llu:%287[^:]:%n",
		   &ret->uid,
		   &ret->gid,
		   &ret->mode,
		   ret->lease,
		   &ret->dev,
		   &ret->ino,
		   ret->handle,
		   &n)
		    != 7
	    || n == 0 || strlen(text + id + n) >= sizeof(ret->path) || ids_pooled(ret->uid))
		return false;
	strcpy(ret->path, text + id + n);
	return true;
}

bool owner_record_find(owner_record_fn fn, void *arg, struct owner_record *ret)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
			    dir = open_records();
	_cleanup_closedir_ DIR *d = dir >= 0 ? hostfs_opendir(dir, ".") : NULL;
	char boot[HOST_BOOT_ID];
	const char *entry;

	hostfs_boot_id(root, boot);
	while (d != NULL && (entry = hostfs_next(d)) != NULL) {
		_cleanup_free_ char *text = NULL;

		if (entry[0] != '.' && fs_read(dir, entry, RECORD_MAX, &text, NULL) == 0
		    && parse(entry, text, boot, ret) && fn(ret, arg))
			return true;
	}
	return false;
}

struct directory {
	uint32_t range;
	const char *path, *handle;
	uint64_t ino;
};

static bool is_of(const struct owner_record *r, void *arg)
{
	const struct directory *d = arg;

	return r->range == d->range && r->ino == d->ino
	       && (str_eq(r->path, d->path)
		   || (!str_eq(r->handle, "-") && str_eq(r->handle, d->handle)));
}

bool owner_record_of(
	uint32_t uid, const char *path, int fd, const struct stat *st, struct owner_record *ret
)
{
	char handle[HANDLE_STR];
	struct directory d = {
		.range = uid - uid % IDS_PER_LEASE,
		.path = path,
		.handle = handle_of(fd, handle),
		.ino = st->st_ino,
	};

	return owner_record_find(is_of, &d, ret);
}

static bool is_at(const struct owner_record *r, void *arg)
{
	const struct directory *d = arg;

	return r->range == d->range && str_eq(r->path, d->path);
}

int owner_record_open(uint32_t range, const char *path)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct directory d = {.range = range, .path = path};
	struct owner_record r;
	union handle h;
	int gone = ENOENT;

	if (!owner_record_find(is_at, &d, &r) || handle_parse(r.handle, &h) < 0) {
		errno = ENOENT;
		return -1;
	}
	// the kernel wants something of the same file system: what is left of the way there
	while (strrchr(r.path, '/') != NULL) {
		_cleanup_close_ int above = -1, fd = -1;
		struct stat st;

		*strrchr(r.path, '/') = '\0';
		above = fs_open_in(
			root, r.path[0] != '\0' ? r.path : "/", O_RDONLY | O_DIRECTORY, 0
		);
		if (above < 0 || fstat(above, &st) < 0 || st.st_dev != r.dev)
			continue;
		fd = open_by_handle_at(above, &h.of, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			return steal_fd(&fd);
		gone = errno == ESTALE ? ESTALE : ENOENT;
		break;
	}
	errno = gone;
	return -1;
}

void owner_record_remove(uint32_t uid, const char *path)
{
	_cleanup_close_ int dir = open_records();
	_cleanup_closedir_ DIR *d = dir >= 0 ? hostfs_opendir(dir, ".") : NULL;
	const char *entry;
	char name[32];

	name_of(uid, path, name);
	while (d != NULL && (entry = hostfs_next(d)) != NULL) {
		if (str_starts(entry + (entry[0] == '.'), name))
			unlinkat(dir, entry, 0);
	}
}

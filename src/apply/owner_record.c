// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/owner_record.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define RECORDS "/var/lib/pinfold/given"

// One for each range and path; the file has that in full.
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

int owner_record_write(uint32_t uid, const char *path, const struct stat *st, struct err *err)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), dir = -1;
	_cleanup_free_ char *text = NULL;
	char name[32], boot[HOST_BOOT_ID];
	int r;

	hostfs_boot_id(root, boot);
	text = str_printf(
		"%s:%u:%u:%04o:%s\n", boot, st->st_uid, st->st_gid, st->st_mode & 07777, path
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

bool owner_record_read(uint32_t uid, const char *path, struct owner_record *ret)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
			    dir = open_records();
	_cleanup_free_ char *text = NULL;
	char name[32], boot[HOST_BOOT_ID];
	size_t len;
	int n = 0;

	if (dir < 0 || fs_read(dir, name_of(uid, path, name), PATH_MAX + 128, &text, NULL) < 0)
		return false;
	hostfs_boot_id(root, boot);
	text[strcspn(text, "\n")] = '\0';
	len = strcspn(text, ":");
	if (strncmp(text, boot, len) == 0 || text[len] == '\0')
		return false;
	return sscanf(text + len + 1, "%u:%u:%o:%n", &ret->uid, &ret->gid, &ret->mode, &n) == 3
	       && n > 0 && str_eq(text + len + 1 + n, path);
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

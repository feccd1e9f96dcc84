// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Profiles of tuned, of a machine that somebody has captured: whatever is in them, what is said of them is one line. The input is
// what the files say, one after the other, each up to a NUL.

#include "fuzz.h"

#include "base/fs.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "host/tuned.h"

#include <fcntl.h>
#include <unistd.h>

#define ONLINE "sys/devices/system/cpu/online"

static const char *const files[] = {
	"etc/tuned/mine/tuned.conf",
	"etc/tuned/mine/mine.conf",
	"etc/tuned/active_profile",
	"etc/tuned/profiles/other/tuned.conf",
	"usr/lib/tuned/cpu-partitioning/tuned.conf",
	"etc/tuned/cpu-partitioning-variables.conf",
	"proc/cmdline",
};

static struct hostfs fs;
static char root[64];
static int tmp = -1;

static void give_up(void)
{
	struct err err;

	fs_remove_tree(tmp, strrchr(root, '/') + 1, &err);
}

static void put(const char *path, const char *text)
{
	_cleanup_free_ char *full = str_printf("%s/%s", root, path);
	_cleanup_close_ int dir = -1, fd = openat(fs.root, path, O_WRONLY | O_TRUNC);
	struct err err;

	if (fd < 0) {
		*strrchr(full, '/') = '\0';
		dir = fs_mkdirs(full, 0755, &err);
		fd = openat(dir, strrchr(path, '/') + 1, O_WRONLY | O_CREAT, 0644);
	}
	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void set_up(void)
{
	const char *dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	struct err err;

	snprintf(root, sizeof(root), "%s/pinfold-fuzz.XXXXXX", dir);
	must(mkdtemp(root) != NULL);
	tmp = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(tmp >= 0 && hostfs_open(root, &fs, &err) == 0);
	atexit(give_up);
	put(ONLINE, "0-63\n");
}

static void must_be_plain(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	const char *at = text, *end = text + len;
	char cure[TUNED_CURE_LEN];
	struct idset cpus = {0};
	struct host_tuned t;

	if (tmp < 0)
		set_up();
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		put(files[i], at);
		at += at < end ? strlen(at) + 1 : 0;
		at = at > end ? end : at;
	}
	host_tuned(&fs, &t);
	must(!t.active || t.profile[0] != '\0');
	must(t.known || idset_empty(&t.isolated));
	must_be_plain(t.profile);
	must_be_plain(t.cores);
	must_be_plain(t.file);
	idset_add(&cpus, 3);
	must_be_plain(host_tuned_cure(&t, &cpus, cure));
	return 0;
}

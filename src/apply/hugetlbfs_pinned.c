// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A hugetlbfs that outlives its mounts: whoever was passed a file or directory of it keeps all of it, also
// the pages that are only reserved, for which no cgroup is charged. It can be seen no more in any mount
// namespace, but ustat(2) finds a file system by its device number. Numbers come again: a mark, the number of
// its inodes, tells whether it is that of the lease.

#include "apply/apply.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/mounts.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define FILES_BITS 32 // more files than there is memory for their inodes

uint64_t pinned_inodes(uint64_t mark)
{
	return (mark & 0x3fffffff) << FILES_BITS | UINT32_MAX;
}

int pinned_note(struct lease *lease, int pid, struct err *err)
{
	_cleanup_free_ char *path = str_printf("/proc/%d/mountinfo", pid), *text = NULL;
	struct mount_line m;

	// one that has ended already says why elsewhere
	if (path == NULL || fs_read_file(path, MOUNTS_MAX, &text, NULL) < 0)
		return 0;
	str_foreach (line, text, "\n") {
		if (mount_parse(line, &m) && str_eq(m.type, "hugetlbfs")
		    && str_starts(m.where, RUN_DIR "/")
		    && lease_note(lease, "hugetlbfs", m.device, err) < 0)
			return -err->code;
	}
	return 0;
}

#ifdef SYS_ustat
struct ustat_buf { // <linux/types.h>
	int tfree;
	unsigned long tinode;
	char fname[6], fpack[6];
};

// True where the device is one that this process sees: not asked, since a server may be behind it that
// does not answer.
static bool is_visible(const struct hostfs *fs, const char *wanted)
{
	_cleanup_free_ char *text = NULL;
	struct mount_line m;

	if (fs_read_system(fs->root, "proc/self/mountinfo", MOUNTS_MAX, &text, NULL) < 0)
		return false;
	str_foreach (line, text, "\n") {
		if (mount_parse(line, &m) && str_eq(m.device, wanted))
			return true;
	}
	return false;
}

static bool is_there(const struct hostfs *fs, const char *device, uint64_t inodes)
{
	struct ustat_buf u;
	unsigned maj, min;

	return sscanf(device, "%u:%u", &maj, &min) == 2 && !is_visible(fs, device)
	       && syscall(SYS_ustat, makedev(maj, min), &u) == 0
	       && u.tinode >> FILES_BITS == inodes >> FILES_BITS;
}
#else
static bool is_there(const struct hostfs *fs, const char *device, uint64_t inodes)
{
	(void)fs;
	(void)device;
	(void)inodes;
	return false;
}
#endif

uint64_t pinned_bytes(const struct hostfs *fs, const struct lease *lease)
{
	const struct grant *g = &lease->grant;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < lease->nundo && bytes == 0; i++) {
		if (!str_eq(lease->undo[i].what, "hugetlbfs")
		    || !is_there(fs, lease->undo[i].path, pinned_inodes(lease_mark(lease))))
			continue;
		for (unsigned k = 0; k < g->nhugepages; k++) {
			if (!g->hugepages[k].anon)
				bytes += g->hugepages[k].size * g->hugepages[k].count;
		}
	}
	return bytes;
}

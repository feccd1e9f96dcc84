// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/kernel/mm/hugepages, as described in the kernel's Documentation/admin-guide/mm/hugetlbpage.rst.

#include "host/hostfs.h"

#include "base/scope.h"
#include "base/str.h"

#define HUGEPAGES_DIR "sys/kernel/mm/hugepages"

char *host_pool_dir(uint64_t size, char buf[static HOST_POOL_DIR])
{
	snprintf(buf, HOST_POOL_DIR, "hugepages-%llukB", (unsigned long long)(size / 1024));
	return buf;
}

void host_read_pool(
	struct host *h, int at, const char *where, const char *dir, struct host_hugepages *ret
)
{
	_cleanup_close_ int fd = hostfs_dir(at, dir);
	struct {
		const char *name;
		uint64_t *count;
	} files[] = {
		{"nr_hugepages", &ret->total},
		{"free_hugepages", &ret->free},
		{"resv_hugepages", &ret->reserved},
		{"surplus_hugepages", &ret->surplus},
	};

	for (size_t i = 0; fd >= 0 && i < ARRAY_LEN(files); i++) {
		int r = hostfs_u64(fd, files[i].name, files[i].count);
		char path[128];

		if (r >= 0)
			continue;
		snprintf(path, sizeof(path), "%s%s/", where, dir);
		host_note_unknown(h, path, files[i].name, r);
	}
	// the counters are not read at one moment
	if (ret->free > ret->total)
		ret->free = ret->total;
}

// The page size a directory stands for, or 0 if its name is not one of a page size.
static uint64_t pool_size(const char *name)
{
	static const char prefix[] = "hugepages-";
	uint64_t kb;
	char again[HOST_POOL_DIR];

	if (!str_starts(name, prefix) || host_parse_u64(name + sizeof(prefix) - 1, 10, "k", &kb) < 0
	    || kb == 0 || kb > UINT64_MAX / 1024 || (kb & (kb - 1)) != 0)
		return 0;
	return str_eq(host_pool_dir(kb * 1024, again), name) ? kb * 1024 : 0;
}

int host_read_hugepages(const struct hostfs *fs, struct host *h, struct err *err)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, HUGEPAGES_DIR);
	const char *name;
	char dir[HOST_POOL_DIR];

	// a kernel without hugepages has no such directory; a size that is not seen would not be limited
	if (d == NULL)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_sys(err, errno, "read '" HUGEPAGES_DIR "'");
	while ((name = hostfs_next(d)) != NULL) {
		uint64_t size = pool_size(name);
		unsigned i = h->nsizes;

		if (size == 0) {
			host_note(h, HUGEPAGES_DIR "/%s: left out: no page size known here", name);
			continue;
		}
		if (h->nsizes == HOST_PAGE_SIZES) {
			host_note(
				h,
				HUGEPAGES_DIR ": more than %d page sizes, %s is left out",
				HOST_PAGE_SIZES,
				name
			);
			continue;
		}
		for (; i > 0 && h->hugepages[i - 1].size > size; i--)
			h->hugepages[i] = h->hugepages[i - 1];
		h->hugepages[i] = (struct host_hugepages){.size = size};
		h->nsizes++;
	}
	for (unsigned i = 0; i < h->nsizes; i++)
		host_read_pool(
			h,
			dirfd(d),
			HUGEPAGES_DIR "/",
			host_pool_dir(h->hugepages[i].size, dir),
			&h->hugepages[i]
		);
	return 0;
}

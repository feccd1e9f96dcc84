// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Reading the small files of /sys and /proc below a directory descriptor. No allocation, no message:
// a caller knows what a missing file means. All paths are resolved as fs_open_in does, so links stay
// below the descriptor they start from. What a file says is the kernel's affair, and kernels differ: but
// for the lists of online CPUs and of page sizes, none that cannot be understood is an error.
#pragma once

#include "base/err.h"
#include "base/idset.h"
#include "host/host.h"

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// An O_PATH descriptor on a directory, or -errno.
int hostfs_dir(int at, const char *path);

// A directory to iterate, or NULL with errno.
DIR *hostfs_opendir(int at, const char *path);

// A file to read line by line, or NULL with errno.
FILE *hostfs_fopen(int at, const char *path);

// The next entry that is not "." or "..", or NULL.
const char *hostfs_next(DIR *d);

// The file as text, NUL-terminated. 0 or -errno; -EFBIG when it does not fit.
int hostfs_text(int at, const char *path, char *buf, size_t len);

// Its first line without the newline. 0 or -errno; -EFBIG when the line does not fit.
int hostfs_line(int at, const char *path, char *buf, size_t len);

// A file that holds one number, decimal or with 0x. 0 or -errno; -EINVAL for anything else.
int hostfs_u64(int at, const char *path, uint64_t *ret);
int hostfs_int(int at, const char *path, int *ret);

// A file in the kernel's list format: the ids below limit. 0, 1 if there are larger ones, or -errno;
// -EINVAL for anything else. Blanks and "(null)" are what a kernel writes for a mask it never made
// (nohz_full): the empty set.
int hostfs_idset(int at, const char *path, unsigned limit, struct idset *ret);

// A mask of CPUs as the kernel prints it: words of hexadecimal digits, the last one first. Ids from IDSET_MAX on are left
// out. 0 or -EINVAL.
int host_parse_mask(const char *s, struct idset *ret);

// Where a link points, whole and its last component. 0 or -errno.
int hostfs_link(int at, const char *path, char *buf, size_t len);
int hostfs_link_name(int at, const char *path, char *buf, size_t len);

// The boot that the machine, or the copy of one, is of; "" where the kernel does not tell.
void hostfs_boot_id(int root, char ret[static HOST_BOOT_ID]);

// Digits up to the end of the string or a character of stops. 0 or -EINVAL.
int host_parse_u64(const char *s, int base, const char *stops, uint64_t *ret);

// The bytes of a "Name:  123 kB" line in the text of a meminfo file, 0 when there is none.
uint64_t host_meminfo(const char *text, const char *name);

// Adds a note. Of more than HOST_NOTES the last one says that there are more.
void host_note(struct host *h, const char *fmt, ...) printf_like(2, 3);

// The note that the file where + name is unknown. r: what reading it returned. None for a missing file:
// kernels lack many.
void host_note_unknown(struct host *h, const char *where, const char *name, int r);

// An optional list: the empty set and a note if it cannot be understood. where: the directory `at`, for
// the note. Returns as hostfs_idset does.
int host_list(
	struct host *h,
	int at,
	const char *where,
	const char *name,
	unsigned limit,
	struct idset *ret
);

// Parts of host_read, each filling its own fields of a zeroed struct host.
int host_read_cpus(const struct hostfs *fs, unsigned parts, struct host *h, struct err *err);
int host_read_nodes(const struct hostfs *fs, struct host *h, struct err *err); // after cpus, sizes
int host_read_hugepages(const struct hostfs *fs, struct host *h, struct err *err);
int host_read_pci(const struct hostfs *fs, struct host *h, struct err *err); // after nodes
int host_read_netdevs(const struct hostfs *fs, struct host *h, struct err *err);
void host_read_cgroup(const struct hostfs *fs, struct host *h); // after the release

// The counters in one hugepages-NkB directory; what is missing or unknown stays 0.
void host_read_pool(
	struct host *h, int at, const char *where, const char *dir, struct host_hugepages *ret
);

// The name of the directory of a page size: "hugepages-2048kB".
#define HOST_POOL_DIR 40
char *host_pool_dir(uint64_t size, char buf[static HOST_POOL_DIR]);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Files below a directory descriptor. Every path is resolved with openat2(2) and cannot leave the
// directory it starts from, whatever symbolic links say. Where there is no such call, as in a container
// of pinfold, paths are walked name by name, and ".." and absolute links are refused.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS): links, also absolute ones, stay below dirfd.
// Returns a descriptor (O_CLOEXEC), or -1 with errno.
int fs_open_in(int dirfd, const char *path, int flags, mode_t mode);

// The same, but what leads out of dirfd is refused: an absolute path, "..", a link (EXDEV). links: whether
// there may be symbolic links at all (else ELOOP).
int fs_open_below(int dirfd, const char *path, int flags, mode_t mode, bool links);

// A name in dirfd, which is neither a link nor another file system, so that nobody is asked but who has dirfd. Needs
// openat2(2). -1 with errno.
int fs_open_here(int dirfd, const char *name, int flags);

// Opens for reading what an O_PATH descriptor stands for, if it is a regular file (else -1, EISDIR or
// EINVAL): opening a device can do something already, and opening a FIFO can take for ever.
int fs_open_regular(int fd);

// The whole file, NUL-terminated, at most max bytes (EFBIG beyond), a regular one. *ret is to be freed;
// ret_len may be NULL. Returns 0 or -errno; no message, so that callers can say what a missing file means.
int fs_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len);

// The same of what is open, from where it is. -1: -errno.
int fs_read_fd(int fd, size_t max, char **ret, size_t *ret_len);

// The same of a path, from here where it is relative.
int fs_read_file(const char *path, size_t max, char **ret, size_t *ret_len);

// The same at half the price, where nobody but root and the kernel could have put anything but a file: in /proc,
// /sys, cgroups and pinfold's own directories. Opened as it is, without waiting and without a terminal.
int fs_read_system(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len);

// Writes the file whole or not at all, for whoever reads it and whenever this process is killed: a temporary
// beside it, then renamed. name: no slash.
int fs_write_atomic(
	int dirfd, const char *name, const char *data, size_t len, mode_t mode, struct err *err
);

// The same, and on disk when it returns: for what must outlive a power cut.
int fs_write_durable(
	int dirfd, const char *name, const char *data, size_t len, mode_t mode, struct err *err
);

// The same for what is of this boot: a power cut may leave it empty.
int fs_write_fleeting(
	int dirfd, const char *name, const char *data, size_t len, mode_t mode, struct err *err
);

// A value into a file of the kernel's (/proc, /sys), in one write. 0 or -errno.
int fs_write_value(const char *path, const char *value);
// The same below dirfd, and with a message.
int fs_write_control(int dirfd, const char *path, const char *value, struct err *err);

// mkdir -p of an absolute path with the mode (less the umask) for what is new. Returns a descriptor.
int fs_mkdirs(const char *path, mode_t mode, struct err *err);

// rm -r of name in dirfd (no slash). Follows no link and enters no mount, also none of the same file
// system: EXDEV. A missing name is fine.
int fs_remove_tree(int dirfd, const char *name, struct err *err);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Making a cgroup a partition. The kernel takes the word also where it cannot do so, and says that in
// the file: "isolated invalid (Cpu list in cpuset.cpus not exclusive)".

#include "apply/apply.h"

#include "base/fs.h"
#include "base/scope.h"

#include <fcntl.h>
#include <string.h>

#define FILE_NAME "cpuset.cpus.partition"

void cgroup_partition_end(int dir, const char *name)
{
	// children first; the CPUs last, which only a partition has for itself
	static const char *const files[][2] = {
		{"box/" FILE_NAME, "member"},
		{FILE_NAME, "member"},
		{"box/cpuset.cpus.exclusive", "\n"},
		{"cpuset.cpus.exclusive", "\n"},
		{"box/cpuset.cpus", "\n"},
		{"cpuset.cpus", "\n"},
	};
	_cleanup_close_ int group = fs_open_in(dir, name, O_PATH | O_DIRECTORY, 0);
	struct err unused;

	for (size_t i = 0; group >= 0 && i < ARRAY_LEN(files); i++)
		fs_write_control(group, files[i][0], files[i][1], &unused);
}

int cgroup_partition(const char *dir, const char *kind, struct err *err)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *said = NULL;
	int r;

	if (fd < 0)
		return err_sys(err, errno, "open cgroup '%s'", dir);
	if (fs_write_control(fd, FILE_NAME, kind, err) < 0)
		return err_wrap(err, "make cgroup '%s' an %s partition", dir, kind);
	r = fs_read_system(fd, FILE_NAME, 4096, &said, NULL);
	if (r < 0)
		return err_sys(err, -r, "read '%s/" FILE_NAME "'", dir);
	said[strcspn(said, "\n")] = '\0';
	if (str_eq(said, kind))
		return 0;
	return err_set(
		err,
		EBUSY,
		"make cgroup '%s' an %s partition: the kernel says '%.200s'; see cpuset.cpus of "
		"the other cgroups, or leave --partition out",
		dir,
		kind,
		said
	);
}

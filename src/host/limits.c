// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How far the limits of a process may be raised here, and what the kernel limits for all together.

#include "host/hostfs.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// Hard limits are raised by whoever has CAP_SYS_RESOURCE, which also root may lack (in a container, or
// where a service manager took it away).
static bool may_raise(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return syscall(SYS_capget, &head, data) == 0
	       && (data[0].effective >> CAP_SYS_RESOURCE & 1) != 0;
}

void host_read_limits(const struct hostfs *fs, struct host_limits *ret)
{
	struct host_limits l = {.files = UINT64_MAX};
	uint64_t open_max = UINT64_MAX;
	bool raise = !fs->real || may_raise();

	for (unsigned i = 0; i < HOST_RLIMITS; i++) {
		struct rlimit r;

		l.hard[i] = raise || getrlimit((__rlimit_resource_t)i, &r) < 0 ? UINT64_MAX
									       : r.rlim_max;
	}
	// a kernel that does not say has no such limit
	if (hostfs_u64(fs->root, "proc/sys/fs/file-max", &l.files) < 0)
		l.files = UINT64_MAX;
	if (hostfs_u64(fs->root, "proc/sys/fs/nr_open", &open_max) == 0
	    && open_max < l.hard[RLIMIT_NOFILE])
		l.hard[RLIMIT_NOFILE] = open_max; // nobody may have more
	*ret = l;
}

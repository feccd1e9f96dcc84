// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// AppArmor as the kernel tells it: /sys/module/apparmor/parameters/enabled ("Y"), and in securityfs
// apparmor/profiles, a line "NAME (MODE)" for each profile that is loaded.

#include "host/hostfs.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <string.h>

#define PROFILES_MAX (4u << 20) // bytes; snapd alone loads hundreds

static bool enforced(char *line, const char *profile)
{
	size_t n = strlen(profile);

	return strncmp(line, profile, n) == 0
	       && (str_eq(line + n, " (enforce)") || str_eq(line + n, " (kill)"));
}

enum host_apparmor host_apparmor(const struct hostfs *fs, const char *profile)
{
	_cleanup_free_ char *text = NULL;
	char on[8];

	if (hostfs_line(fs->root, "sys/module/apparmor/parameters/enabled", on, sizeof(on)) < 0
	    || !str_eq(on, "Y"))
		return HOST_APPARMOR_OFF;
	if (fs_read_system(
		    fs->root, "sys/kernel/security/apparmor/profiles", PROFILES_MAX, &text, NULL
	    )
	    < 0)
		return HOST_APPARMOR_NO_PROFILE;
	str_foreach (line, text, "\n") {
		if (enforced(line, profile))
			return HOST_APPARMOR_READY;
	}
	return HOST_APPARMOR_NO_PROFILE;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/apply.h"

#include "base/scope.h"
#include "base/str.h"
#include "ledger/ledger.h"

#include <errno.h>
#include <sys/stat.h>

#define OUTSIDE "/proc/1/root" // the machine's first process is where everybody looks

static bool same(const char *path, const char *outside)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(outside, &b) == 0 && a.st_dev == b.st_dev
	       && a.st_ino == b.st_ino;
}

int apply_seen(const char *path, struct err *err)
{
	_cleanup_free_ char *outside = str_printf(OUTSIDE "%s", path);

	if (outside == NULL)
		return err_oom(err);
	// with a ledger of its own it has links and peers of its own; and it may not be allowed to look
	if (!same(RUN_DIR, OUTSIDE RUN_DIR) || same(path, outside))
		return 0;
	return err_set(
		err,
		EXDEV,
		"mount '%s': nobody else would see it, this is not the machine's mount namespace "
		"(a unit with PrivateTmp=, ProtectSystem= or PrivateMounts=, pam_namespace); start "
		"it without that",
		path
	);
}

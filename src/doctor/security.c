// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Security modules, and what the fence is made of.

#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"
#include "host/mounts.h"

#include <stdio.h>
#include <string.h>

static void look_at_apparmor(struct doctor *d)
{
	static const char *const found[] = {
		[HOST_APPARMOR_OFF] = "not on",
		[HOST_APPARMOR_NO_PROFILE] = "on, without the profile " APPARMOR_PROFILE
					     ": the fence stands, with one layer less",
		[HOST_APPARMOR_READY] = "the profile " APPARMOR_PROFILE " is loaded",
	};
	enum host_apparmor a = d->host->apparmor;

	if (a == HOST_APPARMOR_NO_PROFILE && d->fs->real && !d->root) {
		doctor_find(
			d,
			VERDICT_SKIP,
			"apparmor",
			"which profiles are loaded needs root: sudo pinfold doctor"
		);
		return;
	}
	doctor_find(
		d,
		a == HOST_APPARMOR_NO_PROFILE ? VERDICT_WARN : VERDICT_PASS,
		"apparmor",
		"%s",
		found[a]
	);
	doctor_read(
		d,
		a == HOST_APPARMOR_OFF ? "/sys/module/apparmor/parameters/enabled"
				       : "/sys/kernel/security/apparmor/profiles"
	);
	if (a == HOST_APPARMOR_NO_PROFILE)
		doctor_cure(d, "apparmor_parser -r /etc/apparmor.d/" APPARMOR_PROFILE);
}

static void look_at_selinux(struct doctor *d)
{
	static const char path[] = "sys/fs/selinux/booleans/container_use_devices";
	uint64_t enforce;
	char value[16];
	bool on;

	if (hostfs_u64(d->fs->root, "sys/fs/selinux/enforce", &enforce) < 0)
		return;
	on = hostfs_line(d->fs->root, path, value, sizeof(value)) == 0 && value[0] == '1';
	doctor_find(
		d,
		enforce == 0 || on ? VERDICT_PASS : VERDICT_WARN,
		"selinux",
		enforce == 0 ? "not enforced"
		: on	     ? "enforced, with container_use_devices"
			     : "enforced: it keeps containers from the nodes of NICs"
	);
	doctor_read(d, "/sys/fs/selinux/enforce: %llu, /%s", (unsigned long long)enforce, path);
	if (enforce != 0 && !on)
		doctor_cure(d, "setsebool -P container_use_devices on");
}

static void look_at_namespaces(struct doctor *d)
{
	static const char path[] = "proc/sys/user/max_user_namespaces";
	uint64_t max;

	if (hostfs_u64(d->fs->root, path, &max) < 0)
		return;
	doctor_find(
		d,
		max == 0 ? VERDICT_FAIL : VERDICT_PASS,
		"user-namespaces",
		max == 0 ? "there may be none: no container starts" : "there may be %llu",
		(unsigned long long)max
	);
	doctor_read(d, "/%s: %llu", path, (unsigned long long)max);
	if (max == 0)
		doctor_cure(d, "sysctl user.max_user_namespaces=15000");
}

// The root of a container lies on it.
static void look_at_overlay(struct doctor *d)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(d->fs->root, "proc/filesystems");
	bool there = false;
	char line[128];
	int loads;

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		there = there || strstr(line, "\toverlay\n") != NULL;
	loads = there ? 1 : doctor_can_load(d, "overlay");
	doctor_find(
		d,
		loads == 0 ? VERDICT_FAIL : VERDICT_PASS,
		"overlayfs",
		there ? "there"
		: loads == 0
			? "this kernel has none: containers need an image (pinfold image build)"
			: "loaded when it is needed"
	);
	doctor_read(d, "/proc/filesystems");
	if (loads == 0)
		doctor_cure(d, "a kernel with CONFIG_OVERLAY_FS");
}

// Of the kernels that pinfold runs on the older ones lack it; it is no more than a way to give volumes.
static void look_at_idmaps(struct doctor *d)
{
	bool there = doctor_kernel(d, 5, 12);

	doctor_find(
		d,
		there ? VERDICT_PASS : VERDICT_WARN,
		"idmapped-mounts",
		there ? "volumes may be given with idmap, where their file system can"
		      : "no volume can be given with idmap (Linux 5.12)"
	);
	doctor_read(d, "/proc/sys/kernel/osrelease: %s", d->host->release);
	if (!there)
		doctor_cure(
			d, "give volumes with owner (-v DIR:/path:rw,owner), or Linux 5.12 or newer"
		);
}

static void look_at_hugetlbfs(const struct mount_line *m, void *arg)
{
	bool *there = arg;

	*there = *there || (str_eq(m->type, "hugetlbfs") && !str_starts(m->where, "/run/pinfold/"));
}

// Engines show volumes of a container that has a user namespace with its ids; pinfold mounts hugetlbfs with those as the
// owner, which any kernel can.
static void look_at_idmapped_hugetlbfs(struct doctor *d)
{
	bool there = doctor_kernel(d, 6, 9), mounted = false;

	mounts_each(d->fs, look_at_hugetlbfs, &mounted);
	if (d->wanted != NULL || !mounted || !doctor_has_engine(d))
		return;
	doctor_find(
		d,
		there ? VERDICT_PASS : VERDICT_WARN,
		"idmapped-hugetlbfs",
		there ? "a hugetlbfs may be a volume of an engine's container with a user namespace"
		      : "a hugetlbfs cannot be a volume of an engine's container with a user "
			"namespace (Linux 6.9)"
	);
	doctor_read(d, "/proc/sys/kernel/osrelease: %s, /proc/mounts", d->host->release);
	if (!there)
		doctor_cure(
			d,
			"Linux 6.9 or newer; or a grant for the container, whose pages are mounted "
			"for its ids (docs/engines.md)"
		);
}

void doctor_security(struct doctor *d)
{
	look_at_apparmor(d);
	look_at_selinux(d);
	look_at_namespaces(d);
	look_at_overlay(d);
	look_at_idmaps(d);
	look_at_idmapped_hugetlbfs(d);
}

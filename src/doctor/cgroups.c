// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The controllers that hold a grant.

#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/cgroup.h"
#include "host/hostfs.h"

#include <string.h>

static void look_at_controller(struct doctor *d, const char *name, unsigned bit)
{
	const struct host_cgroup *cg = &d->host->cgroup;
	_cleanup_free_ char *top = NULL;
	bool there = (cg->controllers & bit) != 0, v1 = cg->version == HOST_CGROUP_V1;

	if (there) {
		doctor_find(d, VERDICT_PASS, "controllers", "%s", name);
		doctor_read(d, v1 ? "/proc/mounts" : "%s/cgroup.controllers", cg->mount);
		return;
	}
	if ((cg->known & bit) == 0) {
		doctor_find(
			d, VERDICT_FAIL, "controllers", "%s: this kernel does not have it", name
		);
		doctor_read(d, "/proc/cgroups");
		doctor_cure(
			d,
			str_eq(name, "memory")
				? "take cgroup_disable=memory off the kernel's command line"
				: "a kernel that is built with it"
		);
		return;
	}
	doctor_find(
		d, VERDICT_FAIL, "controllers", "%s: the kernel has it, and it is not mounted", name
	);
	doctor_read(d, "/proc/cgroups, /proc/mounts");
	top = str_quote(cg->mount);
	if (top == NULL)
		return;
	if (v1 && bit == HOST_CG_HUGETLB && str_eq(cg->mount, "/sys/fs/cgroup"))
		doctor_cure(d, "pinfold host prepare");
	else if (v1)
		doctor_cure(
			d,
			"mkdir -p %s/%s && mount -t cgroup -o %s none %s/%s",
			top,
			name,
			name,
			top,
			name
		);
	else
		doctor_cure(d, "let go of it in version 1: umount the hierarchy of %s", name);
}

// Written by whoever makes cgroups below the root: pinfold does it itself; engines count on it.
static void look_at_children(struct doctor *d)
{
	char path[300], text[1024], missing[128] = "", add[160] = "";
	_cleanup_free_ char *word = NULL;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", d->host->cgroup.mount);
	if (hostfs_line(d->fs->root, path, text, sizeof(text)) < 0)
		return;
	for (size_t i = 0; i < HOST_CONTROLLERS; i++) {
		const struct host_controller *c = &host_controllers[i];

		if ((c->bit & HOST_CG_LIMITS) != 0 && strstr(text, c->name) == NULL) {
			str_add(missing, sizeof(missing), " ", "%s", c->name);
			str_add(add, sizeof(add), " ", "+%s", c->name);
		}
	}
	doctor_find(
		d,
		missing[0] == '\0' ? VERDICT_PASS : VERDICT_WARN,
		"below-the-root",
		missing[0] == '\0'
			? "all of them are passed on"
			: "not passed on, so containers of engines are not limited by: %s",
		missing
	);
	doctor_read(d, "%s: %s", path, text);
	word = str_quote(path);
	if (missing[0] != '\0' && word != NULL)
		doctor_cure(d, "echo '%s' > %s # pinfold run does it for itself", add, word);
}

void doctor_cgroups(struct doctor *d)
{
	const struct host_cgroup *cg = &d->host->cgroup;

	if (cg->version == HOST_CGROUP_NONE) {
		doctor_find(d, VERDICT_FAIL, "version", "no cgroups are mounted");
		doctor_read(d, "/proc/mounts");
		doctor_cure(d, "mount -t cgroup2 none /sys/fs/cgroup");
		return;
	}
	doctor_find(
		d,
		VERDICT_PASS,
		"version",
		"%s at %s",
		cg->version == HOST_CGROUP_V2 ? "2" : "1",
		cg->mount
	);
	doctor_read(d, "/proc/mounts");
	for (size_t i = 0; i < HOST_CONTROLLERS; i++) {
		const struct host_controller *c = &host_controllers[i];

		if ((c->bit & HOST_CG_LIMITS) != 0
		    && (c->bit != HOST_CG_HUGETLB || doctor_wants_pages(d)))
			look_at_controller(d, c->name, c->bit);
	}
	if ((cg->controllers & HOST_CG_HUGETLB) != 0 && doctor_wants_pages(d)) {
		bool rsvd = (cg->controllers & HOST_CG_HUGETLB_RSVD) != 0;

		doctor_find(
			d,
			rsvd ? VERDICT_PASS : VERDICT_WARN,
			"reservations",
			rsvd ? "limits of reserved hugepages"
			     : "no limits of reserved hugepages (Linux 5.7): who takes too many is "
			       "killed by SIGBUS"
		);
		doctor_read(
			d, "/proc/sys/kernel/osrelease: %s, hugetlb.*.rsvd.*", d->host->release
		);
		if (!rsvd)
			doctor_cure(d, "Linux 5.7 or newer");
	}
	if (cg->version == HOST_CGROUP_V2)
		look_at_children(d);
	if (d->wanted == NULL)
		doctor_cgroups_below(d);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What makes containers: an OCI runtime, and containerd's limits; of engines see engines.c.

#include "site/runtime.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"

#include <stdio.h>
#include <string.h>

#define CONFIG_MAX (1u << 20)

static void look_at_runtime(struct doctor *d)
{
	struct runtime r;
	struct err err;

	if (!d->fs->real) {
		doctor_find(
			d,
			VERDICT_SKIP,
			"oci-runtime",
			"a copy of a machine's files has no programs"
		);
		return;
	}
	if (runtime_find(&r, NULL, &err) < 0) {
		doctor_find(d, VERDICT_FAIL, "oci-runtime", "%s", err.msg);
		doctor_cure(d, "apt-get install crun");
		return;
	}
	doctor_find(d, VERDICT_PASS, "oci-runtime", "%s", r.path);
	doctor_read(d, "%s --version", r.path);
}

// containerd leaves the limits of hugepages out unless it is told not to (containerd#10706).
static void look_at_containerd(struct doctor *d)
{
	static const char path[] = "etc/containerd/config.toml";
	_cleanup_free_ char *text = NULL;
	const char *key;
	bool disabled = true;

	if (!doctor_exists(d, "usr/bin/containerd"))
		return;
	if (fs_read(d->fs->root, path, CONFIG_MAX, &text, NULL) == 0) {
		key = strstr(text, "disable_hugetlb_controller");
		disabled = key == NULL || strncmp(key + strcspn(key, "=\n"), "= true", 6) == 0
			   || strncmp(key + strcspn(key, "=\n"), "=true", 5) == 0;
	}
	doctor_find(
		d,
		disabled ? VERDICT_WARN : VERDICT_PASS,
		"containerd",
		disabled ? "its CRI plug-in leaves limits of hugepages out "
			   "(disable_hugetlb_controller)"
			 : "it sets limits of hugepages"
	);
	doctor_read(d, "/%s", path);
	if (disabled)
		doctor_cure(
			d,
			"disable_hugetlb_controller = false below "
			"[plugins.\"io.containerd.grpc.v1.cri\"] in /%s, then: systemctl restart "
			"containerd",
			path
		);
}

void doctor_runtime(struct doctor *d)
{
	look_at_runtime(d);
	if (d->wanted != NULL)
		return;
	look_at_containerd(d);
	doctor_engines(d);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Devices beside NICs: for kernel ports.

#include "doctor/doctor.h"

static void look_at(
	struct doctor *d, const char *check, const char *path, const char *module, const char *what
)
{
	bool there = doctor_exists(d, path);
	int loads = there ? 1 : doctor_can_load(d, module);

	doctor_find(
		d,
		there || loads == 1	    ? VERDICT_PASS
		: loads < 0 && !d->fs->real ? VERDICT_SKIP
		: d->wanted != NULL	    ? VERDICT_FAIL
					    : VERDICT_WARN,
		check,
		there			    ? "there"
		: loads == 1		    ? "loaded when it is needed"
		: loads < 0 && !d->fs->real ? "not loaded, and this copy does not tell modules"
					    : "this kernel has none: %s",
		what
	);
	doctor_read(d, "/%s", path);
	if (!there && loads == 1)
		doctor_cure(d, "pinfold host prepare --module %s", module);
}

void doctor_devices(struct doctor *d)
{
	if (doctor_wants_ports(d, false))
		look_at(d,
			"tun",
			"sys/class/misc/tun",
			"tun",
			"no kernel port with a tap (--kernel-port)");
	if (doctor_wants_ports(d, true))
		look_at(d,
			"vhost-net",
			"sys/class/misc/vhost-net",
			"vhost_net",
			"no kernel port with vhost");
}

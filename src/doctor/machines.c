// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What virtual machines (--in vm) need: QEMU, a kernel for the guest, and KVM, or they are emulated.

#include "base/scope.h"
#include "doctor/doctor.h"
#include "vm/vm.h"

static const char kvm[] = "sys/class/misc/kvm";

// Without one of the two a kernel has /dev/kvm, and does not run a guest on the CPU. What it does is seen when one is started.
static void look_at_kvm(struct doctor *d)
{
	static const char *const modules[] = {"kvm_intel", "kvm_amd"};
	static const char slow[] = "virtual machines are emulated (many times slower)";
	bool there = doctor_exists(d, kvm);

	for (size_t i = 0; there && i < ARRAY_LEN(modules); i++) {
		if (!doctor_has_module(d, modules[i]))
			continue;
		doctor_find(d, VERDICT_PASS, "kvm", "%s", modules[i]);
		doctor_read(d, "/sys/module/%s", modules[i]);
		return;
	}
	if (there) {
		doctor_find(
			d,
			VERDICT_WARN,
			"kvm",
			"/dev/kvm is there, but neither kvm_intel nor kvm_amd: it does not run a "
			"kernel, and %s",
			slow
		);
		doctor_read(d, "/sys/module/kvm_intel, /sys/module/kvm_amd");
	} else if (!d->fs->real) {
		doctor_find(d, VERDICT_SKIP, "kvm", "this copy of a machine's files has none");
		return;
	} else {
		doctor_find(d, VERDICT_WARN, "kvm", "there is none: %s", slow);
		doctor_read(d, "/%s", kvm);
	}
	doctor_cure(
		d,
		"turn VT-x (AMD: SVM) on in the firmware, in a guest have its host nest KVM; "
		"modprobe kvm_intel (AMD: kvm_amd)"
	);
}

static void look_at_tool(
	struct doctor *d,
	const char *check,
	int missing,
	const struct err *err,
	const char *found,
	const char *cure
)
{
	if (missing == 0) {
		doctor_find(d, VERDICT_PASS, check, "%s", found);
		return;
	}
	doctor_find(d, d->vm ? VERDICT_FAIL : VERDICT_WARN, check, "%s", err->msg);
	doctor_read(d, "%s", found);
	doctor_cure(d, "%s", cure);
}

static void look_at_tools(struct doctor *d)
{
	struct vm_tools t = {0};
	struct err err;

	if (!d->fs->real) {
		doctor_find(d, VERDICT_SKIP, "qemu", "a copy of a machine's files has no programs");
		return;
	}
	look_at_tool(
		d, "qemu", vm_find_qemu(&t, &err), &err, t.qemu, "apt-get install qemu-system-x86"
	);
	look_at_tool(d, "kernel", vm_find_kernel(&t, &err), &err, t.kernel, "pinfold host kernel");
}

void doctor_machines(struct doctor *d)
{
	if (d->wanted != NULL && !d->vm)
		return;
	look_at_tools(d);
	look_at_kvm(d);
}

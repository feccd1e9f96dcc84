// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Flags of the CPU, in /proc/cpuinfo.

#include "doctor/doctor.h"

static bool wants_1g(const struct doctor *d)
{
	for (unsigned i = 0; d->wanted != NULL && i < d->wanted->nhugepages; i++) {
		if (d->wanted->hugepages[i].size == UINT64_C(1) << 30)
			return true;
	}
	return false;
}

void doctor_processor(struct doctor *d)
{
	static const char from[] = "/proc/cpuinfo, flags";
	bool there;

	if (host_has_flag(d->fs, "") < 0) {
		doctor_find(
			d, VERDICT_SKIP, "instructions", "this machine tells no flags of an x86 CPU"
		);
		doctor_read(d, "/proc/cpuinfo");
		return;
	}
	there = host_has_flag(d->fs, "sse4_2") > 0;
	doctor_find(
		d,
		there ? VERDICT_PASS : VERDICT_FAIL,
		"instructions",
		there ? "SSE4.2, which Debian's DPDK is built for"
		      : "no SSE4.2: Debian's DPDK does not start"
	);
	doctor_read(d, "%s: %ssse4_2", from, there ? "" : "no ");
	if (!there)
		doctor_cure(
			d, "build DPDK with -Dplatform=generic, or give the guest another CPU model"
		);
	if (d->wanted == NULL || wants_1g(d)) {
		there = host_has_flag(d->fs, "pdpe1gb") > 0;
		doctor_find(
			d,
			doctor_needs(d, there),
			"pages-of-1g",
			there ? "the CPU has pages of 1G" : "the CPU has no pages of 1G"
		);
		doctor_read(d, "%s: %spdpe1gb", from, there ? "" : "no ");
		if (!there)
			doctor_cure(d, "ask for pages of 2M: --hugepages 2M=N");
	}
	there = host_has_flag(d->fs, "nonstop_tsc") > 0 || host_has_flag(d->fs, "constant_tsc") > 0;
	doctor_find(
		d,
		there ? VERDICT_PASS : VERDICT_WARN,
		"time-stamp-counter",
		there ? "it runs at one speed"
		      : "it may run at changing speed: what DPDK measures with it is wrong then"
	);
	doctor_read(d, "%s: %sconstant_tsc", from, there ? "" : "no ");
}

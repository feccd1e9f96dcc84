// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /proc/cpuinfo.

#include "base/scope.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"

#include <string.h>

static bool has_flag(const char *flags, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = flags; (p = strstr(p, name)) != NULL; p += n) {
		if ((p == flags || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0' || p[n] == '\n'))
			return true;
	}
	return false;
}

static bool read_flags(const struct hostfs *fs, char *ret, size_t len)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, "proc/cpuinfo");

	while (f != NULL && fgets(ret, (int)len, f) != NULL) {
		if (strncmp(ret, "flags", 5) == 0)
			return true;
	}
	return false;
}

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
	char flags[8192];
	bool there;

	if (!read_flags(d->fs, flags, sizeof(flags))) {
		doctor_find(
			d, VERDICT_SKIP, "instructions", "this machine tells no flags of an x86 CPU"
		);
		doctor_read(d, "/proc/cpuinfo");
		return;
	}
	there = has_flag(flags, "sse4_2");
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
		there = has_flag(flags, "pdpe1gb");
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
	there = has_flag(flags, "nonstop_tsc") || has_flag(flags, "constant_tsc");
	doctor_find(
		d,
		there ? VERDICT_PASS : VERDICT_WARN,
		"time-stamp-counter",
		there ? "it runs at one speed"
		      : "it may run at changing speed: what DPDK measures with it is wrong then"
	);
	doctor_read(d, "%s: %sconstant_tsc", from, there ? "" : "no ");
}

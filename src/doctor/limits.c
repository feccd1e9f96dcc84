// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How much a process may have.

#include "base/size.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"

#include <sys/resource.h>

// What a program with VFIO locks: all that a device can reach.
static void look_at_memlock(struct doctor *d)
{
	uint64_t hard = d->host->limits.hard[RLIMIT_MEMLOCK], need = 0;
	char a[SIZE_STR], b[SIZE_STR];
	bool enough;

	if (!d->fs->real) {
		doctor_find(
			d,
			VERDICT_SKIP,
			"locked-memory",
			"a copy of a machine's files does not tell limits"
		);
		return;
	}
	if (d->grant != NULL)
		need = d->grant->memory + grant_hugepage_bytes(d->grant, -1);
	enough = hard == UINT64_MAX || (need > 0 && hard >= need);
	if (hard == UINT64_MAX)
		doctor_find(d, VERDICT_PASS, "locked-memory", "may be raised without end");
	else
		doctor_find(
			d,
			doctor_needs(d, enough),
			"locked-memory",
			need > 0 ? "at most %s from here; the grant needs %s"
				 : "at most %s from here: less than a program with a NIC needs",
			size_format(hard, a),
			size_format(need, b)
		);
	doctor_read(d, "getrlimit(RLIMIT_MEMLOCK)");
	if (!enough)
		doctor_cure(
			d,
			d->root ? "give what starts pinfold CAP_SYS_RESOURCE, or "
				  "LimitMEMLOCK=infinity (systemd)"
				: "sudo pinfold ..., or a line '* hard memlock unlimited' in "
				  "/etc/security/limits.conf and a new login"
		);
}

// EAL maps each page for itself.
static void look_at_maps(struct doctor *d)
{
	static const char path[] = "proc/sys/vm/max_map_count";
	uint64_t max, pages = 0;

	if (hostfs_u64(d->fs->root, path, &max) < 0)
		return;
	for (unsigned i = 0; i < d->host->nsizes; i++)
		pages += d->host->hugepages[i].total;
	if (d->grant != NULL) {
		pages = 0;
		for (unsigned i = 0; i < d->grant->nhugepages; i++)
			pages += d->grant->hugepages[i].count;
	}
	doctor_find(
		d,
		pages + 1000 > max ? VERDICT_WARN : VERDICT_PASS,
		"mappings",
		pages + 1000 > max ? "a process may have %llu mappings; EAL makes one a page, of "
				     "%llu: it fails with "
				     "\"Cannot allocate memory\""
				   : "a process may have %llu, enough for %llu hugepages",
		(unsigned long long)max,
		(unsigned long long)pages
	);
	doctor_read(d, "/%s: %llu", path, (unsigned long long)max);
	if (pages + 1000 > max)
		doctor_cure(
			d,
			"sysctl vm.max_map_count=%llu # or --single-file-segments, or pages of 1G",
			(unsigned long long)(2 * pages + 65530)
		);
}

void doctor_limits(struct doctor *d)
{
	if (doctor_wants_nics(d))
		look_at_memlock(d);
	if (doctor_wants_pages(d))
		look_at_maps(d);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the kernel does to memory by itself.

#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"

#include <stdio.h>
#include <string.h>

static void look_at_thp(struct doctor *d)
{
	static const char path[] = "sys/kernel/mm/transparent_hugepage/enabled";
	char text[64];
	bool always;

	if (hostfs_line(d->fs->root, path, text, sizeof(text)) < 0)
		return;
	always = strstr(text, "[always]") != NULL;
	doctor_find(
		d,
		always ? VERDICT_WARN : VERDICT_PASS,
		"transparent-hugepages",
		always ? "always: khugepaged stops programs while it makes hugepages"
		       : "only where a program asks"
	);
	doctor_read(d, "/%s: %s", path, text);
	if (always)
		doctor_cure(d, "echo madvise > /%s", path);
}

static void look_at_swap(struct doctor *d)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(d->fs->root, "proc/swaps");
	char line[512], first[256] = "";

	if (f == NULL || fgets(line, sizeof(line), f) == NULL)
		return;
	if (fgets(line, sizeof(line), f) != NULL)
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(line, " \t\n"), line);
	doctor_find(
		d,
		first[0] != '\0' ? VERDICT_WARN : VERDICT_PASS,
		"swap",
		first[0] != '\0'
			? "on (%s): a program waits for the disk when a page of its comes back"
			: "none",
		first
	);
	doctor_read(d, "/proc/swaps");
	if (first[0] != '\0')
		doctor_cure(d, "swapoff -a");
}

// What programs have asked for and not touched no cgroup counts.
static void look_at_promises(struct doctor *d)
{
	static const char path[] = "proc/sys/vm/overcommit_memory";
	uint64_t mode;

	if (hostfs_u64(d->fs->root, path, &mode) < 0)
		return;
	doctor_find(
		d,
		mode == 2 ? VERDICT_WARN : VERDICT_PASS,
		"promises",
		mode == 2 ? "the kernel promises no more memory than it has, to all programs "
			    "together: one container can ask for all of that, whatever its grant, "
			    "and nobody else gets any"
			  : "memory that programs only ask for is not counted"
	);
	doctor_read(d, "/%s: %llu", path, (unsigned long long)mode);
	if (mode == 2)
		doctor_cure(d, "sysctl vm.overcommit_memory=0");
}

static const struct doctor_number same_pages = {
	.check = "same-page-merging",
	.path = "sys/kernel/mm/ksm/run",
	.good = "off",
	.bad = "ksmd compares pages and write-protects those that programs have alike",
	.cure = "echo 0 > /sys/kernel/mm/ksm/run",
};
static const struct doctor_number balancing = {
	.check = "numa-balancing",
	.path = "proc/sys/kernel/numa_balancing",
	.good = "off",
	.bad = "the kernel unmaps pages to see who uses them, and moves them",
	.cure = "echo 0 > /proc/sys/kernel/numa_balancing",
};

void doctor_memory(struct doctor *d)
{
	look_at_thp(d);
	doctor_number(d, &same_pages);
	look_at_swap(d);
	look_at_promises(d);
	if (d->host->nnodes > 1)
		doctor_number(d, &balancing);
}

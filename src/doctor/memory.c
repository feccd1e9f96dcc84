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

// A number that is to be 0.
static void look_at_switch(
	struct doctor *d, const char *path, const char *check, const char *bad, const char *good
)
{
	uint64_t v;

	if (hostfs_u64(d->fs->root, path, &v) < 0)
		return;
	doctor_find(d, v != 0 ? VERDICT_WARN : VERDICT_PASS, check, "%s", v != 0 ? bad : good);
	doctor_read(d, "/%s: %llu", path, (unsigned long long)v);
	if (v != 0)
		doctor_cure(d, "echo 0 > /%s", path);
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

void doctor_memory(struct doctor *d)
{
	look_at_thp(d);
	look_at_switch(
		d,
		"sys/kernel/mm/ksm/run",
		"same-page-merging",
		"ksmd compares pages and write-protects those that programs have alike",
		"off"
	);
	look_at_swap(d);
	if (d->host->nnodes > 1)
		look_at_switch(
			d,
			"proc/sys/kernel/numa_balancing",
			"numa-balancing",
			"the kernel unmaps pages to see who uses them, and moves them",
			"off"
		);
}

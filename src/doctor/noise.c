// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What else runs on those CPUs.

#include "host/noise.h"

#include "base/scope.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"

static void look_at_kind(
	struct doctor *d,
	const struct host_noise_kind *k,
	const char *check,
	const char *what,
	const char *read,
	const char *cure
)
{
	if (k->n == 0)
		doctor_find(d, VERDICT_PASS, check, "no %s", what);
	else
		doctor_find(d, VERDICT_WARN, check, "%u %s: %s", k->n, what, k->names);
	doctor_read(d, "%s", read);
	if (k->n > 0)
		doctor_cure(d, "%s", cure);
}

// A setting that tuned's profile cpu-partitioning has, too.
static void look_at_setting(
	struct doctor *d,
	const char *check,
	const char *name,
	uint64_t least,
	uint64_t most,
	uint64_t cure,
	const char *bad
)
{
	char path[96];
	uint64_t v;
	bool ok;

	snprintf(path, sizeof(path), "proc/sys/%s", name);
	for (char *c = path + sizeof("proc/sys/") - 1; *c != '\0'; c++) {
		if (*c == '.')
			*c = '/';
	}
	if (hostfs_u64(d->fs->root, path, &v) < 0)
		return;
	ok = v >= least && v <= most;
	doctor_find(d, ok ? VERDICT_PASS : VERDICT_WARN, check, "%s", ok ? "as it should be" : bad);
	doctor_read(d, "/%s: %llu", path, (unsigned long long)v);
	if (!ok)
		doctor_cure(d, "sysctl %s=%llu", name, (unsigned long long)cure);
}

void doctor_noise(struct doctor *d)
{
	struct host_noise n;
	char elsewhere[IDSET_STR], cure[512];
	struct idset rest = d->host->online;

	if (!idset_empty(&d->cpus)) {
		host_noise(d->fs, &d->cpus, &n);
		idset_andnot(&rest, &d->cpus);
		idset_format(&rest, elsewhere, sizeof(elsewhere));
		if (idset_empty(&rest))
			snprintf(cure, sizeof(cure), "leave the host a CPU that is not granted");
		else
			snprintf(
				cure,
				sizeof(cure),
				"echo %.200s > /proc/irq/N/smp_affinity_list",
				elsewhere
			);
		look_at_kind(
			d,
			&n.irqs,
			"interrupts",
			"interrupts may come there",
			"/proc/irq/*/effective_affinity_list",
			cure
		);
		if (!idset_empty(&rest))
			snprintf(cure, sizeof(cure), "taskset -pc %.200s PID", elsewhere);
		look_at_kind(
			d,
			&n.kthreads,
			"kernel-threads",
			"threads of the kernel that could run elsewhere may run there",
			"/proc/*/status, Cpus_allowed_list",
			cure
		);
		look_at_kind(
			d,
			&n.pinned,
			"processes",
			"other processes are bound there",
			"/proc/*/status, Cpus_allowed_list",
			cure
		);
	}
	look_at_setting(
		d,
		"nmi-watchdog",
		"kernel.nmi_watchdog",
		0,
		0,
		0,
		"it interrupts every CPU, also tickless ones"
	);
	look_at_setting(
		d,
		"statistics",
		"vm.stat_interval",
		2,
		UINT64_MAX,
		10,
		"each CPU adds its counters up every second"
	);
	look_at_setting(
		d,
		"timer-migration",
		"kernel.timer_migration",
		1,
		1,
		1,
		"timers stay on the CPU that set them"
	);
}

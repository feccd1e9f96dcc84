// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What else runs on those CPUs.

#include "host/noise.h"

#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"
#include "host/tuned.h"

#include <string.h>

static bool look_at_kind(
	struct doctor *d,
	const struct host_noise_kind *k,
	const char *check,
	const char *what,
	const char *read
)
{
	if (k->n == 0)
		doctor_find(d, VERDICT_PASS, check, "no %s", what);
	else
		doctor_find(d, VERDICT_WARN, check, "%u %s: %s", k->n, what, k->names);
	doctor_read(d, "%s", read);
	return k->n > 0;
}

// Whoever bound them meant it: no command of ours moves them.
static void cure_processes(struct doctor *d, const struct host_noise_kind *k)
{
	struct idset rest = d->host->online;
	char elsewhere[IDSET_STR];

	idset_andnot(&rest, &d->cpus);
	if (idset_empty(&rest))
		doctor_cure_cpus(d);
	else
		doctor_cure(
			d,
			"taskset -apc %s %.*s%s",
			idset_format(&rest, elsewhere, sizeof(elsewhere)),
			(int)strspn(k->names, "0123456789"),
			k->names,
			k->n > 1 ? " # and the others so" : ""
		);
}

// Settings that tuned's profile cpu-partitioning has, too.
static const struct doctor_number settings[] = {
	{.check = "nmi-watchdog",
	 .path = "proc/sys/kernel/nmi_watchdog",
	 .good = "as it should be",
	 .bad = "it interrupts every CPU, also tickless ones",
	 .cure = "sysctl kernel.nmi_watchdog=0"},
	{.check = "statistics",
	 .path = "proc/sys/vm/stat_interval",
	 .least = 2,
	 .most = UINT64_MAX,
	 .good = "as it should be",
	 .bad = "each CPU adds its counters up every second",
	 .cure = "sysctl vm.stat_interval=10"},
	{.check = "timer-migration",
	 .path = "proc/sys/kernel/timer_migration",
	 .least = 1,
	 .most = 1,
	 .good = "as it should be",
	 .bad = "timers stay on the CPU that set them",
	 .cure = "sysctl kernel.timer_migration=1"},
};

// Where interrupts go of devices that are not there yet; irqaffinity= has it so from the boot on.
static const struct doctor_mask new_interrupts = {
	.check = "new-interrupts",
	.path = "proc/irq/default_smp_affinity",
	.good = "those of devices that come later go elsewhere",
	.bad = "those of devices that come later may come there, too"};

void doctor_noise(struct doctor *d)
{
	static const char from[] = "/proc/*/status, Cpus_allowed_list";
	struct host_tuned tuned;
	struct host_noise n;

	if (!idset_empty(&d->cpus)) {
		host_noise(d->fs, &d->cpus, &n);
		if (look_at_kind(
			    d,
			    &n.irqs,
			    "interrupts",
			    "interrupts may come there",
			    "/proc/irq/*/effective_affinity_list"
		    ))
			doctor_cure_cpus(d);
		doctor_mask(d, &new_interrupts);
		if (look_at_kind(
			    d,
			    &n.kthreads,
			    "kernel-threads",
			    "threads of the kernel that could run elsewhere may run there",
			    from
		    ))
			doctor_cure_cpus(d);
		if (look_at_kind(
			    d, &n.pinned, "processes", "other processes are bound there", from
		    ))
			cure_processes(d, &n.pinned);
	}
	host_tuned(d->fs, &tuned);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		// of which tuned thinks otherwise
		if (!tuned.active || !str_eq(settings[i].check, "timer-migration"))
			doctor_number(d, &settings[i]);
	}
}

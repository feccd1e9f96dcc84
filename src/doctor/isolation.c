// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whether the CPUs that programs poll on are theirs alone, as the kernel was told at its start.

#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"
#include "host/tuned.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CSTATES 10 // CPUIDLE_STATE_MAX
#define SLEEP_MICROSECONDS 20

static bool number(const char **at, unsigned last, unsigned *ret)
{
	char *end;

	if (**at == 'N') {
		*ret = last;
		(*at)++;
		return true;
	}
	if (**at < '0' || **at > '9')
		return false;
	*ret = (unsigned)strtoul(*at, &end, 10);
	*at = end;
	return true;
}

// "2-7", "8-N", "all", "0-31:2/8": two of every eight. At *at, which goes behind it.
static bool range(const char **at, unsigned last, struct idset *set)
{
	unsigned first = 0, end = last, used = 1, of = 1;

	if (str_starts(*at, "all")) {
		*at += strlen("all");
	} else {
		if (!number(at, last, &first))
			return false;
		end = first;
		if (**at == '-' && (++*at, !number(at, last, &end)))
			return false;
	}
	if (**at == ':'
	    && (++*at, !number(at, last, &used) || *(*at)++ != '/' || !number(at, last, &of)))
		return false;
	if (end < first || end > last || used > of || of == 0)
		return false;
	for (unsigned i = first; i <= end; i++) {
		if ((i - first) % of < used)
			idset_add(set, i);
	}
	return true;
}

// Words before the list of isolcpus=, "domain,managed_irq,": the kernel skips what it does not know of them
// (kernel/sched/isolation.c: housekeeping_isolcpus_setup). False: there is no list.
static bool skip_flags(const char **value)
{
	while (isalpha((unsigned char)**value)) {
		while (isalpha((unsigned char)**value) || **value == '_')
			(*value)++;
		if (*(*value)++ != ',')
			return false;
	}
	return true;
}

// As the kernel reads it (lib/bitmap-str.c: bitmap_parselist): nothing between commas is nothing, and one CPU that there
// cannot be spoils all.
static bool parse_cpus(const char *value, unsigned last, struct idset *ret)
{
	*ret = (struct idset){0};
	for (;;) {
		value += strspn(value, ",");
		if (*value == '\0')
			return true;
		if (!range(&value, last, ret) || (*value != ',' && *value != '\0'))
			break;
	}
	*ret = (struct idset){0};
	return false;
}

// False: it is there, and nobody can read it.
static bool cmdline_cpus(const struct doctor *d, const char *word, char *value, struct idset *ret)
{
	const char *list = value;
	unsigned last = 0;

	idset_foreach (cpu, &d->host->possible)
		last = (unsigned)cpu;
	*ret = (struct idset){0};
	return !doctor_cmdline(d, word, value, IDSET_STR)
	       || ((!str_eq(word, "isolcpus") || skip_flags(&list)) && parse_cpus(list, last, ret));
}

// The kernel says it in its log, at its start, and goes on without.
static void look_at_words(struct doctor *d)
{
	static const char *const words[] = {"isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		char value[IDSET_STR];
		struct idset unused;

		if (cmdline_cpus(d, words[i], value, &unused))
			continue;
		doctor_find(
			d,
			VERDICT_WARN,
			"command-line",
			"%s=%.64s cannot be parsed: it is no list of CPUs",
			words[i],
			value
		);
		doctor_read(d, "/proc/cmdline");
		doctor_cure(d, "boot with %s=LIST, as 2-7,10", words[i]);
	}
}

static void compare(
	struct doctor *d,
	const struct idset *have,
	const char *check,
	const char *word,
	const char *read,
	const char *why
)
{
	struct idset missing = d->cpus;
	char list[IDSET_STR], all[IDSET_STR];

	idset_andnot(&missing, have);
	idset_format(&missing, list, sizeof(list));
	if (idset_empty(&missing)) {
		doctor_find(
			d,
			VERDICT_PASS,
			check,
			"all of %s",
			idset_format(&d->cpus, all, sizeof(all))
		);
	} else {
		doctor_find(d, VERDICT_WARN, check, "not CPUs %s: %s", list, why);
		idset_format(&d->cpus, all, sizeof(all));
		if (d->host->cgroup.partition != HOST_PARTITION_NONE && str_eq(word, "isolcpus"))
			doctor_cure(
				d,
				"--partition isolated in the grant, or boot with isolcpus=%s",
				all
			);
		else if (str_eq(word, "isolcpus"))
			doctor_cure(
				d,
				"boot with isolcpus=%s, and what else pinfold host prepare "
				"--dry-run --cpus %s says",
				all,
				all
			);
		else
			doctor_cure(d, "boot with %s=%s", word, all);
	}
	doctor_read(
		d, "%s: %s", read, idset_empty(have) ? "none" : idset_format(have, all, sizeof(all))
	);
}

static void look_at_siblings(struct doctor *d)
{
	struct idset outside = {0};
	char list[IDSET_STR], all[IDSET_STR];

	idset_foreach (cpu, &d->cpus) {
		const struct host_cpu *c = host_cpu(d->host, (unsigned)cpu);

		if (c != NULL)
			idset_or(&outside, &c->siblings);
	}
	idset_andnot(&outside, &d->cpus);
	if (idset_empty(&outside)) {
		doctor_find(d, VERDICT_PASS, "siblings", "whole cores");
	} else {
		struct idset whole = outside;

		idset_or(&whole, &d->cpus);
		doctor_find(
			d,
			VERDICT_WARN,
			"siblings",
			"CPUs %s are hyper-threads of the same cores, and others may run there",
			idset_format(&outside, list, sizeof(list))
		);
		doctor_cure(d, "--cpus %s", idset_format(&whole, all, sizeof(all)));
	}
	doctor_read(d, "/sys/devices/system/cpu/cpu*/topology/thread_siblings_list");
}

static const struct doctor_mask workqueues = {
	.check = "workqueues",
	.path = "sys/devices/virtual/workqueue/cpumask",
	.good = "unbound work of the kernel runs elsewhere",
	.bad = "unbound work of the kernel may run there"};

static void look_at_governor(struct doctor *d)
{
	unsigned n = 0, slow = 0;
	char path[96], word[32], first[32] = "";

	idset_foreach (cpu, &d->cpus) {
		snprintf(
			path,
			sizeof(path),
			"sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor",
			cpu
		);
		if (hostfs_line(d->fs->root, path, word, sizeof(word)) < 0)
			continue;
		n++;
		if (!str_eq(word, "performance") && slow++ == 0)
			strcpy(first, word);
	}
	if (n == 0)
		return; // as in a virtual machine: nothing to choose
	doctor_find(
		d,
		slow > 0 ? VERDICT_WARN : VERDICT_PASS,
		"frequency",
		slow > 0 ? "%u of %u CPUs change their frequency (governor %s)"
			 : "governor performance",
		slow,
		n,
		first
	);
	doctor_read(d, "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
	if (slow > 0)
		doctor_cure(
			d,
			"echo performance | tee "
			"/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
		);
}

// Microseconds that a CPU takes to wake up from the deepest sleep that it may fall into; 0: none is known.
static unsigned deepest(const struct doctor *d, unsigned cpu, char name[static 32])
{
	unsigned most = 0;

	for (unsigned i = 0; i < CSTATES; i++) {
		char dir[80], path[112];
		uint64_t off = 0, us;

		snprintf(dir, sizeof(dir), "sys/devices/system/cpu/cpu%u/cpuidle/state%u", cpu, i);
		snprintf(path, sizeof(path), "%s/latency", dir);
		if (hostfs_u64(d->fs->root, path, &us) < 0)
			break;
		snprintf(path, sizeof(path), "%s/disable", dir);
		hostfs_u64(d->fs->root, path, &off);
		if (off != 0 || us <= most || us > UINT_MAX)
			continue;
		most = (unsigned)us;
		snprintf(path, sizeof(path), "%s/name", dir);
		if (hostfs_line(d->fs->root, path, name, 32) < 0)
			name[0] = '\0';
	}
	return most;
}

static void look_at_sleep(struct doctor *d)
{
	unsigned most = 0;
	char name[32] = "", of[32] = "";

	idset_foreach (cpu, &d->cpus) {
		unsigned us = deepest(d, (unsigned)cpu, of);

		if (us > most)
			strcpy(name, of);
		most = us > most ? us : most;
	}
	if (most == 0)
		return; // as in a virtual machine
	doctor_find(
		d,
		most > SLEEP_MICROSECONDS ? VERDICT_WARN : VERDICT_PASS,
		"c-states",
		most > SLEEP_MICROSECONDS
			? "a program that sleeps there may wake up %u us late (%s); one that "
			  "polls all the time does not sleep"
			: "they wake up within %u us (%s)",
		most,
		name
	);
	doctor_read(d, "/sys/devices/system/cpu/cpu*/cpuidle/state*/{latency,disable}");
	if (most > SLEEP_MICROSECONDS)
		doctor_cure(
			d,
			"echo 1 | tee /sys/devices/system/cpu/cpu*/cpuidle/state[2-9]/disable # "
			"deeper than C1, of all CPUs"
		);
}

// Whoever has it needs to know what it does: a second one that moves threads would be moved against.
static void look_at_tuned(struct doctor *d)
{
	char list[TUNED_CURE_LEN];
	struct host_tuned t;
	bool all;

	host_tuned(d->fs, &t);
	if (!t.active)
		return;
	all = idset_subset(&d->cpus, &t.isolated);
	doctor_find(
		d,
		!t.known ? VERDICT_SKIP
		: all	 ? VERDICT_PASS
			 : VERDICT_WARN,
		"tuned",
		!t.known ? "its profile %s says which CPUs it keeps free once it has booted with "
			   "that"
		: all	 ? "its profile %s keeps interrupts, threads and unbound work away"
			 : "its profile %s moves interrupts, threads and unbound work, to some of "
			   "these "
			   "CPUs, too",
		t.profile
	);
	doctor_read(d, TUNED_ACTIVE "; %s: isolated_cores=%s", t.file, t.cores);
	if (t.known && !all)
		doctor_cure(d, "%s", host_tuned_cure(&t, &d->cpus, list));
}

void doctor_isolation(struct doctor *d)
{
	char value[IDSET_STR];
	struct idset nocbs;

	look_at_words(d);
	if (idset_empty(&d->cpus)) {
		doctor_find(
			d,
			VERDICT_SKIP,
			"cpus",
			d->wanted != NULL	  ? "the grant cannot be had, so it has no CPUs"
			: d->root || !d->fs->real ? "no CPU is granted or isolated; name some: "
						    "pinfold doctor --cpus LIST"
						  : "no CPU is isolated, and what is granted needs "
						    "root: sudo pinfold doctor"
		);
		return;
	}
	doctor_find(
		d,
		VERDICT_PASS,
		"cpus",
		"CPUs %s are looked at: %s",
		idset_format(&d->cpus, value, sizeof(value)),
		d->whose
	);
	compare(d,
		&d->host->isolated,
		"isolated",
		"isolcpus",
		"/sys/devices/system/cpu/isolated",
		"the scheduler moves other programs there");
	compare(d,
		&d->host->nohz_full,
		"tickless",
		"nohz_full",
		"/sys/devices/system/cpu/nohz_full",
		"the timer interrupts programs there up to 1000 times a second");
	cmdline_cpus(d, "rcu_nocbs", value, &nocbs);
	// it is implied
	idset_or(&nocbs, &d->host->nohz_full);
	compare(d,
		&nocbs,
		"rcu",
		"rcu_nocbs",
		"/proc/cmdline, rcu_nocbs",
		"callbacks of RCU run there");
	look_at_siblings(d);
	look_at_tuned(d);
	doctor_mask(d, &workqueues);
	look_at_governor(d);
	look_at_sleep(d);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What this process can see of the machine, and, with --probe, what it can reach.

#include "inside/show.h"

#include "base/idset.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "inside/files.h"
#include "inside/inside.h"
#include "inside/mounts.h"
#include "inside/own_grant.h"
#include "inside/probe.h"

#include <getopt.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

// The numbers after prefix in the names of a directory, of those that have the file below too.
static struct idset ids_of_dir(const char *dir, const char *prefix, const char *below)
{
	_cleanup_names_ struct names names = names_of_dir(dir, prefix);
	struct idset set = {0};

	for (size_t i = 0; i < names.n; i++) {
		const char *digits = names.v[i] + strlen(prefix);
		char path[512];

		if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits))
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", dir, names.v[i], below);
		if (access(path, F_OK) == 0)
			idset_add(&set, (unsigned)strtoul(digits, NULL, 10));
	}
	return set;
}

static void out_idset(struct out *o, const char *key, const struct idset *set)
{
	char buf[IDSET_STR];

	out_str(o, key, idset_format(set, buf, sizeof(buf)));
}

static void show_cpus(struct out *o, bool probe)
{
	struct idset affinity = {0}, eal, runnable;
	char buf[4096];

	sched_getaffinity(0, sizeof(affinity.word), (cpu_set_t *)affinity.word);
	// eal_cpu_detected() of DPDK looks for this file.
	eal = ids_of_dir("/sys/devices/system/cpu", "cpu", "topology/core_id");
	out_object(o, "cpus");
	out_idset(o, "affinity", &affinity);
	out_str(o, "online", line_of("/sys/devices/system/cpu/online", buf, sizeof(buf)));
	out_idset(o, "eal", &eal);
	if (probe && probe_cpus(&runnable) == 0)
		out_idset(o, "runnable", &runnable);
	else
		out_str(o, "runnable", NULL);
	out_end(o);
}

static void show_numa(struct out *o)
{
	struct idset visible = ids_of_dir("/sys/devices/system/node", "node", "");
	char buf[4096];

	out_object(o, "numa");
	out_idset(o, "visible", &visible);
	out_str(o, "allowed", value_of("/proc/self/status", "Mems_allowed_list", buf, sizeof(buf)));
	out_end(o);
}

static void show_memory(struct out *o)
{
	char buf[64];

	value_of("/proc/meminfo", "MemTotal", buf, sizeof(buf));
	out_u64(o, "memory", strtoull(buf, NULL, 10) * 1024);
}

static void show_hugepages(struct out *o, bool probe)
{
	static const char dir[] = "/sys/kernel/mm/hugepages", prefix[] = "hugepages-";
	_cleanup_names_ struct names sizes = names_of_dir(dir, prefix);

	out_list(o, "hugepages");
	for (size_t i = 0; i < sizes.n; i++) {
		uint64_t size = strtoull(sizes.v[i] + strlen(prefix), NULL, 10) * 1024;
		int64_t takeable = -1;
		char buf[SIZE_STR], path[512];

		out_object(o, NULL);
		out_str(o, "size", size_format(size, buf));
		snprintf(path, sizeof(path), "%s/%s/nr_hugepages", dir, sizes.v[i]);
		out_u64(o, "total", number_of(path));
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", dir, sizes.v[i]);
		out_u64(o, "free", number_of(path));
		// What can be taken may be more than what is shown: the limit is not from here.
		if (probe)
			takeable = probe_hugepages(size, UINT64_C(1) << 32);
		if (takeable >= 0)
			out_u64(o, "takeable", (uint64_t)takeable);
		else
			out_str(o, "takeable", NULL);
		out_end(o);
	}
	out_end(o);
}

// An option of a mount that is a number of bytes or a size such as "2M". NULL when it is not set.
static const char *mount_size(const struct mntent *m, const char *option, char buf[static SIZE_STR])
{
	const char *at = hasmntopt(m, option);
	uint64_t bytes;
	struct err err;
	char value[32];

	if (at == NULL || at[strlen(option)] != '=')
		return NULL;
	at += strlen(option) + 1;
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, ","), at);
	return size_parse(value, &bytes, &err) == 0 ? size_format(bytes, buf) : NULL;
}

static void show_mount(const struct mntent *m, void *arg)
{
	struct out *o = arg;
	char buf[SIZE_STR];

	if (!str_eq(m->mnt_type, "hugetlbfs"))
		return;
	out_object(o, NULL);
	out_str(o, "path", m->mnt_dir);
	out_str(o, "size", mount_size(m, "size", buf));
	out_str(o, "min_size", mount_size(m, "min_size", buf));
	out_str(o, "pagesize", mount_size(m, "pagesize", buf));
	out_end(o);
}

static void show_hugetlbfs(struct out *o)
{
	out_list(o, "hugetlbfs");
	own_mounts_each(show_mount, o);
	out_end(o);
}

static void show_pci(struct out *o)
{
	_cleanup_names_ struct names pci = names_of_dir("/sys/bus/pci/devices", "");

	out_strings(o, "pci", pci.v, pci.n);
}

static void show_syscalls(struct out *o, bool probe)
{
	if (!probe) {
		out_str(o, "syscalls", NULL);
		return;
	}
	out_list(o, "syscalls");
	for (size_t i = 0; i < probe_ncalls(); i++) {
		struct probe_call c = probe_call(i);

		out_object(o, NULL);
		out_str(o, "name", c.name);
		out_str(o, "reach", c.reach);
		out_str(o, "errno", c.error);
		out_end(o);
	}
	out_end(o);
}

static int show(struct out *o, bool probe)
{
	out_object(o, NULL);
	show_cpus(o, probe);
	show_numa(o);
	show_memory(o);
	show_hugepages(o, probe);
	show_hugetlbfs(o);
	show_pci(o);
	show_devices(o);
	show_netdevs(o);
	show_capabilities(o);
	show_self(o);
	show_syscalls(o, probe);
	out_end(o);
	if (fflush(stdout) != 0)
		return inside_fail("show: cannot write: %s", strerror(errno));
	return 0;
}

int inside_show(int argc, char **argv)
{
	static const struct option longs[] = {
		{"eal", no_argument, NULL, 'e'},
		{"env", no_argument, NULL, 'v'},
		{"json", no_argument, NULL, 'j'},
		{"probe", no_argument, NULL, 'p'},
		{0},
	};
	struct out o = {0};
	bool probe = false;
	int opt, form = 0;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (opt) {
		case 'e':
		case 'v':
			if (form != 0 && form != opt)
				return inside_fail("show: say --eal or --env, not both");
			form = opt;
			break;
		case 'j':
			o.json = true;
			break;
		case 'p':
			probe = true;
			break;
		default:
			return inside_fail("show: unknown option '%s'", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return inside_fail("show: unexpected argument '%s'", argv[optind]);
	if (form != 0 && (o.json || probe))
		return inside_fail("show: --eal and --env go with nothing else");
	if (form != 0)
		return share_show(form == 'e' ? SHARE_EAL : SHARE_ENV);
	return show(&o, probe);
}

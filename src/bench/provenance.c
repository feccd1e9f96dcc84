// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/provenance.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/child.h"
#include "bench/need.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

static void say(json_t *p, const char *key, const char *text)
{
	_cleanup_free_ char *copy = need(strdup(text));

	copy[strcspn(copy, "\n")] = '\0';
	str_plain(copy);
	if (*copy != '\0')
		json_object_set_new(p, key, json_string(copy));
}

// The first line of a file of the kernel's.
static void say_file(json_t *p, const char *key, const char *path)
{
	_cleanup_free_ char *text = NULL;

	if (fs_read_file(path, 1 << 20, &text, NULL) == 0)
		say(p, key, text);
}

// "key : value" of /proc/cpuinfo and the like.
static void say_field(json_t *p, const char *key, const char *path, const char *field)
{
	_cleanup_free_ char *text = NULL;
	const char *at;

	if (fs_read_file(path, 4 << 20, &text, NULL) < 0 || (at = strstr(text, field)) == NULL)
		return;
	at += strcspn(at, ":\n");
	at += strspn(at, ": \t");
	say(p, key, at);
}

static void say_time(json_t *p)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	say(p, "time", text);
}

// "2048kB: 512, 460 free" for each size.
static void say_hugepages(json_t *p)
{
	_cleanup_closedir_ DIR *d = dir_open(AT_FDCWD, "/sys/kernel/mm/hugepages", 0);
	char all[2048] = "";
	struct dirent *e;

	while (d != NULL && (e = dir_next(d)) != NULL) {
		_cleanup_free_ char *have = NULL, *free_ = NULL, *a = NULL, *b = NULL;

		a = need(str_printf("%s/nr_hugepages", e->d_name));
		b = need(str_printf("%s/free_hugepages", e->d_name));
		if (fs_read_system(dirfd(d), a, 64, &have, NULL) < 0
		    || fs_read_system(dirfd(d), b, 64, &free_, NULL) < 0)
			continue;
		str_add(all,
			sizeof(all),
			"; ",
			"%.200s: %d, %d free",
			str_starts(e->d_name, "hugepages-") ? e->d_name + strlen("hugepages-")
							    : e->d_name,
			atoi(have),
			atoi(free_));
	}
	say(p, "hugepages", all);
}

// The lines of pinfold --version: "key  value".
static void say_versions(struct bench *b, json_t *p)
{
	const char *const argv[] = {b->pinfold, "--version", NULL};
	_cleanup_free_ char *out = NULL;
	char *save = NULL, *line;
	struct err err;

	if (child_run(b, &(struct child_how){.argv = argv}, 10000, 0, &out, NULL, &err) < 0)
		return;
	for (line = strtok_r(out, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *value = line + strcspn(line, " ");

		if (*value == '\0')
			continue;
		*value++ = '\0';
		say(p, line, value + strspn(value, " "));
	}
	say(p, "build", PINFOLD_BUILD);
}

static void say_machine(json_t *p)
{
	_cleanup_free_ char *cpuinfo = NULL;
	struct utsname u;
	double load[3];

	if (uname(&u) == 0) {
		_cleanup_free_ char *kernel =
			need(str_printf("%s %s %s", u.sysname, u.release, u.machine));

		say(p, "kernel", kernel);
	}
	say_file(p, "command line", "/proc/cmdline");
	say_field(p, "CPU", "/proc/cpuinfo", "model name");
	if (fs_read_file("/proc/cpuinfo", 4 << 20, &cpuinfo, NULL) == 0)
		say(p,
		    "machine",
		    strstr(cpuinfo, " hypervisor") != NULL ? "virtual: a hypervisor is below"
							   : "bare metal");
	say_file(p, "CPUs online", "/sys/devices/system/cpu/online");
	say_file(p, "CPUs isolated", "/sys/devices/system/cpu/isolated");
	say_file(p, "CPUs nohz_full", "/sys/devices/system/cpu/nohz_full");
	say_file(p, "frequency governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	say_file(
		p,
		"clock source",
		"/sys/devices/system/clocksource/clocksource0/current_clocksource"
	);
	say_field(p, "memory", "/proc/meminfo", "MemTotal");
	say_file(p, "NUMA nodes", "/sys/devices/system/node/online");
	say_hugepages(p);
	say(p, "cgroups", access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "v2" : "v1");
	if (getloadavg(load, 3) > 0) {
		_cleanup_free_ char *text = need(str_printf("%.2f", load[0]));

		say(p, "load before", text);
	}
}

json_t *provenance(struct bench *b)
{
	json_t *p = need(json_object());
	_cleanup_free_ char *pinning = need(str_printf(
		"what is measured on CPU %d, what loads it on CPU %d, each pinned",
		b->cpu_vnf,
		b->cpu_tester
	));

	say_time(p);
	say_machine(p);
	say(p, "pinning", pinning);
	say_versions(b, p);
	if (b->remote != NULL)
		say(p, "second machine", b->remote->host);
	for (unsigned i = 0; i < ENV_KINDS; i++) {
		const struct environment *e = &b->env[i];
		_cleanup_free_ char *name = NULL;

		if (e->kind == ENV_HOST || e->kind == ENV_CONTAINER)
			continue;
		name = need(strdup(e->kind == ENV_VM ? "QEMU" : e->name));
		say(p, name, e->present ? e->version : e->why);
		if (e->kind == ENV_VM && e->present)
			say(p,
			    "accelerator",
			    e->emulated ? "TCG: this machine has no KVM that runs guests; their "
					  "CPU is emulated"
					: "KVM");
	}
	return p;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// config.json of the container (OCI runtime specification 1.0.2) and the command that starts it.

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "plan/make.h"

#include <stdio.h>
#include <string.h>

// The box above has them too. On v1 it alone: the kernel counts what went over a limit where the limit is, and this
// cgroup the runtime takes away at once.
static json_t *limits(const struct plan *p, json_t *rules)
{
	const struct grant *g = &p->lease.grant;
	struct idset cpus = grant_all_cpus(g);
	json_t *res = json_object(), *pages = json_array();
	unsigned have = p->host->cgroup.controllers;

	if (p->host->cgroup.version == HOST_CGROUP_V1)
		have &= ~(unsigned)(HOST_CG_MEMORY | HOST_CG_HUGETLB);
	for (unsigned i = 0; i < p->host->nsizes && (have & HOST_CG_HUGETLB) != 0; i++) {
		uint64_t size = p->host->hugepages[i].size;
		char name[SIZE_STR];

		json_array_append_new(
			pages,
			json_pack(
				"{s:s, s:I}",
				"pageSize",
				size_format_hugetlb(size, name),
				"limit",
				(json_int_t)(size * grant_pages(g, size, -1, true, true))
			)
		);
	}
	json_object_set(res, "devices", rules);
	if ((have & HOST_CG_CPUSET) != 0)
		json_object_set_new(
			res,
			"cpu",
			json_pack(
				"{s:o, s:o}",
				"cpus",
				json_idset(&cpus),
				"mems",
				json_idset(&g->mems)
			)
		);
	if ((have & HOST_CG_MEMORY) != 0)
		json_object_set_new(
			res, "memory", json_pack("{s:I}", "limit", (json_int_t)plan_memory(p))
		);
	if ((have & HOST_CG_PIDS) != 0)
		json_object_set_new(
			res,
			"pids",
			json_pack("{s:I}", "limit", (json_int_t)(g->pids + 1 + plan_own_pids(p)))
		);
	json_object_set_new(res, "hugepageLimits", pages);
	return res;
}

static void map_ids(json_t *map, uint32_t inside, uint32_t outside, uint32_t n)
{
	json_t *e = json_pack("{s:I}", "containerID", (json_int_t)inside);

	json_object_set_new(e, "hostID", json_integer(outside));
	json_object_set_new(e, "size", json_integer(n));
	json_array_append_new(map, e);
}

static json_t *id_map(uint32_t base, const struct grant *g)
{
	json_t *map = json_array();

	map_ids(map, 0, base, IDS_PER_LEASE);
	for (unsigned i = 0; g != NULL && i < g->nlinks; i++)
		map_ids(map, PLAN_LINK_GID + i, g->links[i].gid, 1);
	return map;
}

static json_t *strings(const char *const *list, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_string(list[i]));
	return array;
}

// Kernel windows that tell about the host, or let it be changed. There is no sysfs.
static const char *const masked[] = {
	// its devices and what they do
	"/proc/acpi",
	"/proc/asound",
	"/proc/bus",
	"/proc/diskstats",
	"/proc/driver",
	"/proc/fs",
	"/proc/interrupts",
	"/proc/iomem",
	"/proc/ioports",
	"/proc/irq",
	"/proc/mdstat",
	"/proc/partitions",
	"/proc/scsi",
	"/proc/swaps",
	// its memory and its load
	"/proc/buddyinfo",
	"/proc/latency_stats",
	"/proc/pressure", // anybody may put triggers of the whole host in there
	"/proc/sched_debug",
	"/proc/schedstat",
	"/proc/softirqs",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/vmallocinfo",
	"/proc/vmstat",
	"/proc/zoneinfo",
	// its kernel
	"/proc/cmdline",
	"/proc/kallsyms",
	"/proc/kcore",
	"/proc/keys",
	"/proc/modules",
};

static const char *const readonly[] = {
	"/proc/sys",
	"/proc/sysrq-trigger",
};

// Without a lease of its own it is in cgroups whose limits are the grant's, and in a namespace of them; and in a
// user namespace whose limits hold for all that is made in it.
static json_t *namespaces_of(const struct plan *p)
{
	const struct site *site = &p->lease.site;
	static const char *const names[] = {"pid", "network", "ipc", "uts", "mount", "cgroup"};
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (plan_has_netns(p) && str_eq(names[i], "network"))
			json_array_append_new(
				list, json_pack("{s:s, s:s}", "type", "network", "path", PLAN_NETNS)
			);
		else if (site_has(site, SITE_LEASE) || !str_eq(names[i], "cgroup"))
			json_array_append_new(list, json_pack("{s:s}", "type", names[i]));
	}
	if (plan_host_ids(&p->lease))
		return list;
	if (site_has(site, SITE_USERNS))
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "type", "user", "path", PLAN_USERNS)
		);
	else
		json_array_append_new(list, json_pack("{s:s}", "type", "user"));
	return list;
}

static json_t *linux_part(struct plan *p, json_t *rules)
{
	_cleanup_free_ char *cgroup = plan_lease_cgroup(&p->lease.grant);
	bool limited = site_has(&p->lease.site, SITE_LEASE);
	bool mapped = !plan_host_ids(&p->lease);

	return json_pack(
		"{s:o*, s:o*, s:o*, s:o, s:o, s:o*, s:s*, s:o, s:o}",
		"uidMappings",
		mapped ? id_map(p->lease.uid_base, NULL) : NULL,
		"gidMappings",
		mapped ? id_map(p->lease.uid_base, &p->lease.grant) : NULL,
		"cgroupsPath",
		limited ? json_sprintf("/%s/box/c", cgroup) : NULL,
		"namespaces",
		namespaces_of(p),
		"sysctl",
		plan_sysctl(p),
		"resources",
		limited ? limits(p, rules) : NULL,
		"mountLabel",
		p->mount_label,
		"maskedPaths",
		strings(masked, ARRAY_LEN(masked)),
		"readonlyPaths",
		strings(readonly, ARRAY_LEN(readonly))
	);
}

static json_t *process(const struct plan *p, const char *hostname, const char *apparmor)
{
	const struct site *site = &p->lease.site;
	const char *user[PROCESS_USER + 1] = {NULL};
	char numbers[32];
	json_t *doc;

	process_user(site, p->launch->uid, p->launch->gid, numbers, user);
	doc = process_of(
		&p->lease,
		&p->host->limits,
		p->launch->terminal,
		plan_uid(p),
		plan_gid(p),
		p->launch->workdir,
		process_args(site, site->starts, p->launch->terminal, user, p->launch->argv),
		process_env(site, hostname, p->launch->terminal, p->launch->nenv, p->launch->env)
	);

	// the group must be able to write to the sockets
	if (p->launch->published_group)
		json_object_set_new(json_object_get(doc, "user"), "umask", json_integer(0002));
	if (apparmor != NULL)
		json_object_set_new(doc, "apparmorProfile", json_string(apparmor));
	if (p->launch->label != NULL)
		json_object_set_new(doc, "selinuxLabel", json_string(p->launch->label));
	return doc;
}

// The runtime's command. The descriptors of the init are passed on.
static json_t *command(const struct plan *p)
{
	const struct site *site = &p->lease.site;
	json_t *argv = json_pack("[s, s, s]", site->runtime.path, "--root", site->state);

	if (site->runtime.kind->manager != NULL)
		json_array_append_new(
			argv, json_sprintf("%s=%s", site->runtime.kind->manager, site->manager)
		);
	json_array_append_new(argv, json_string("run"));
	json_array_append_new(argv, json_sprintf("--preserve-fds=%u", 1 + site->njoins));
	json_array_append_new(argv, json_string("--bundle"));
	json_array_append_new(argv, json_string(FENCE_DIR "/bundle"));
	json_array_append_new(argv, json_string(p->lease.grant.name));
	return argv;
}

static int check_text(const struct launch *launch, struct err *err)
{
	int r = process_check(launch->argv, launch->nenv, launch->env, err);

	if (r == 0 && launch->workdir != NULL)
		r = process_check_text("directory", launch->workdir, err);
	for (unsigned i = 0; r == 0 && i < launch->nvolumes; i++) {
		r = process_check_text("volume", launch->volumes[i].source, err);
		if (r == 0)
			r = process_check_text("volume", launch->volumes[i].target, err);
	}
	return r;
}

// The filter is text already, and two thirds of all: it becomes the last member of "linux", the last of the
// document.
static char *with_filter(const char *text, const char *filter)
{
	return str_printf("%.*s,\"seccomp\":%s}}", (int)(strlen(text) - 2), text, filter);
}

json_t *plan_config(const struct plan *p)
{
	for (unsigned i = 0; p->oci != NULL && i < p->nsteps; i++) {
		if (p->steps[i].kind == STEP_FILE && str_eq(p->steps[i].path, PLAN_CONFIG))
			return json_loads(p->steps[i].value, 0, NULL);
	}
	return NULL;
}

int plan_oci(struct plan *p, struct err *err)
{
	const char *hostname =
		p->launch->hostname != NULL ? p->launch->hostname : p->lease.grant.name;
	_cleanup_json_ json_t *mounts = json_array();
	_cleanup_json_ json_t *rules = json_pack("[{s:b, s:s}]", "allow", 0, "access", "rwm");
	_cleanup_free_ char *state = str_printf("%s/%s", p->lease.site.state, p->lease.grant.name);
	_cleanup_free_ char *filter = NULL, *text = NULL;
	const char *apparmor = NULL;

	if (state == NULL)
		return err_oom(err);
	if (check_text(p->launch, err) < 0)
		return -err->code;
	if (site_has(&p->lease.site, SITE_LEASE) && lease_note(&p->lease, "tree", state, err) < 0)
		return -err->code;
	if (rights_seccomp(p, &filter, err) < 0 || rights_apparmor(p, &apparmor, err) < 0
	    || plan_mounts(p, mounts, rules, err) < 0)
		return -err->code;
	p->oci = json_pack(
		"{s:s, s:o, s:{s:s, s:b}, s:s, s:O, s:o}",
		"ociVersion",
		"1.0.2",
		"process",
		process(p, hostname, apparmor),
		"root",
		"path",
		FENCE_DIR "/root",
		"readonly",
		1,
		"hostname",
		hostname,
		"mounts",
		mounts,
		"linux",
		linux_part(p, rules)
	);
	p->argv = command(p);
	p->nlimits =
		plan_rlimits(&p->lease.grant, &p->host->limits, p->lease.site.locked, p->limits);
	if (site_has(&p->lease.site, SITE_USERNS) && !plan_host_ids(&p->lease))
		plan_userns(p);
	plan_netns(p);
	plan_rdma_files(p);
	if (plan_netdevs(p, err) < 0)
		return -err->code;
	if (p->oci == NULL || p->argv == NULL)
		return err_oom(err);
	text = json_dumps(p->oci, JSON_COMPACT);
	plan_dir(p, strdup(FENCE_DIR "/bundle"));
	plan_file(p, strdup(PLAN_CONFIG), text != NULL ? with_filter(text, filter) : NULL);
	return 0;
}

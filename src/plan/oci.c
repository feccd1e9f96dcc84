// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// config.json of the container (OCI runtime specification 1.0.2) and the command that starts it.

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>

static json_t *limits(const struct plan *p, const struct host *host, json_t *rules)
{
	const struct grant *g = &p->lease.grant;
	struct idset cpus = grant_all_cpus(g);
	json_t *res = json_object(), *pages = json_array();
	unsigned have = host->cgroup.controllers;

	for (unsigned i = 0; i < host->nsizes && (have & HOST_CG_HUGETLB) != 0; i++) {
		uint64_t size = host->hugepages[i].size;
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
	json_object_set_new(res, "devices", rules);
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
			res, "memory", json_pack("{s:I}", "limit", (json_int_t)g->memory)
		);
	if ((have & HOST_CG_PIDS) != 0)
		json_object_set_new(
			res, "pids", json_pack("{s:I}", "limit", (json_int_t)(g->pids + 1))
		);
	json_object_set_new(res, "hugepageLimits", pages);
	return res;
}

static json_t *id_map(uint32_t base, const struct grant *g)
{
	json_t *map = json_array();

	json_array_append_new(
		map,
		json_pack(
			"{s:i, s:I, s:i}",
			"containerID",
			0,
			"hostID",
			(json_int_t)base,
			"size",
			(int)IDS_PER_LEASE
		)
	);
	for (unsigned i = 0; g != NULL && i < g->nlinks; i++)
		json_array_append_new(
			map,
			json_pack(
				"{s:i, s:I, s:i}",
				"containerID",
				(int)(PLAN_LINK_GID + i),
				"hostID",
				(json_int_t)g->links[i].gid,
				"size",
				1
			)
		);
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

static json_t *linux_part(struct plan *p, const struct host *host, json_t *rules, json_t *seccomp)
{
	_cleanup_free_ char *cgroup = plan_lease_cgroup(&p->lease.grant);
	static const char *const namespaces[] = {"pid", "network", "ipc", "uts", "mount", "cgroup"};
	json_t *ns = json_array();

	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
		json_array_append_new(ns, json_pack("{s:s}", "type", namespaces[i]));
	json_array_append_new(ns, json_pack("{s:s, s:s}", "type", "user", "path", PLAN_USERNS));
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"uidMappings",
		id_map(p->lease.uid_base, NULL),
		"gidMappings",
		id_map(p->lease.uid_base, &p->lease.grant),
		"cgroupsPath",
		json_sprintf("/%s/box/c", cgroup),
		"namespaces",
		ns,
		"resources",
		limits(p, host, rules),
		"seccomp",
		seccomp,
		"maskedPaths",
		strings(masked, ARRAY_LEN(masked)),
		"readonlyPaths",
		strings(readonly, ARRAY_LEN(readonly))
	);
}

// What every container has.
static const char *const plan_environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/tmp",
	"XDG_RUNTIME_DIR=/run",
	"PINFOLD_GRANT=" RUN_DIR "/grant.json",
	"container=pinfold",
	NULL,
};

json_t *plan_env(const char *hostname, bool terminal, unsigned nenv, const char *const *more)
{
	json_t *env = json_array();

	for (size_t i = 0; plan_environment[i] != NULL; i++)
		json_array_append_new(env, json_string(plan_environment[i]));
	if (hostname != NULL)
		json_array_append_new(env, json_sprintf("HOSTNAME=%s", hostname));
	if (terminal)
		json_array_append_new(env, json_string("TERM=xterm"));
	for (unsigned i = 0; i < nenv; i++)
		json_array_append_new(env, json_string(more[i]));
	return env;
}

// The sockets of links must be writable for the group that both ends share.
mode_t plan_umask(const struct grant *g)
{
	return g->nlinks > 0 ? 0002 : 0022;
}

json_t *plan_process(
	const struct grant *g,
	const struct host_limits *limits,
	bool terminal,
	uint32_t uid,
	uint32_t gid,
	json_t *args,
	json_t *env
)
{
	json_t *groups = json_array(), *doc;

	for (unsigned i = 0; i < g->nlinks; i++)
		json_array_append_new(groups, json_integer((int)(PLAN_LINK_GID + i)));
	doc = json_pack(
		"{s:b, s:{s:i, s:i, s:i, s:o}, s:o, s:o, s:s, s:o, s:b}",
		"terminal",
		terminal,
		"user",
		"uid",
		(int)uid,
		"gid",
		(int)gid,
		"umask",
		(int)plan_umask(g),
		"additionalGids",
		groups,
		"args",
		args,
		"env",
		env,
		"cwd",
		"/",
		"capabilities",
		rights_capabilities(g),
		"noNewPrivileges",
		1
	);
	if (limits != NULL)
		json_object_set_new(doc, "rlimits", rights_rlimits(g, limits));
	return doc;
}

void plan_join_args(json_t *args, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		json_array_append_new(args, json_string("--join-fd"));
		json_array_append_new(args, json_sprintf("%u", PLAN_JOIN_FD + i));
	}
}

static json_t *process(
	const struct plan *p,
	const struct launch *launch,
	const struct host *host,
	const char *hostname,
	const char *apparmor
)
{
	json_t *args = json_array(), *doc;

	// the supervisor reads from descriptor 3 whether the program could be executed
	json_array_append_new(args, json_string(RUN_DIR "/inside"));
	json_array_append_new(args, json_string("init"));
	plan_join_args(args, launch->njoins);
	json_array_append_new(args, json_string("--status-fd"));
	json_array_append_new(args, json_string("3"));
	// and sends input and output there: the runtime, which would keep them open, does not get them
	if (!launch->terminal)
		json_array_append_new(args, json_string("--streams"));
	json_array_append_new(args, json_string("--"));
	for (char *const *a = launch->argv; *a != NULL; a++)
		json_array_append_new(args, json_string(*a));
	doc = plan_process(
		&p->lease.grant,
		launch->runtime_is_runc ? NULL : &host->limits,
		launch->terminal,
		launch->uid,
		launch->gid,
		args,
		plan_env(hostname, launch->terminal, launch->nenv, launch->env)
	);
	if (apparmor != NULL)
		json_object_set_new(doc, "apparmorProfile", json_string(apparmor));
	return doc;
}

// The runtime's command. Descriptor 3 (status) is passed on, and after it those of launch->joins.
static json_t *command(const struct plan *p, const struct launch *launch)
{
	json_t *argv = json_array();

	json_array_append_new(argv, json_string(launch->runtime));
	json_array_append_new(argv, json_string("--root"));
	json_array_append_new(argv, json_string(RUNTIME_DIR));
	if (!launch->runtime_is_runc)
		json_array_append_new(argv, json_string("--cgroup-manager=cgroupfs"));
	json_array_append_new(argv, json_string("run"));
	json_array_append_new(argv, json_sprintf("--preserve-fds=%u", 1 + launch->njoins));
	json_array_append_new(argv, json_string("--bundle"));
	json_array_append_new(argv, json_string(BOX_DIR "/bundle"));
	json_array_append_new(argv, json_string(p->lease.grant.name));
	return argv;
}

static int check_utf8(const char *what, const char *s, struct err *err)
{
	_cleanup_json_ json_t *j = json_string(s);

	return j != NULL ? 0 : err_set(err, EINVAL, "%s '%.64s' is not UTF-8", what, s);
}

int plan_check_text(char *const *argv, unsigned nenv, const char *const *env, struct err *err)
{
	int r = 0;

	for (char *const *a = argv; r == 0 && *a != NULL; a++)
		r = check_utf8("argument", *a, err);
	for (unsigned i = 0; r == 0 && i < nenv; i++)
		r = check_utf8("environment", env[i], err);
	return r;
}

static int check_text(const struct launch *launch, struct err *err)
{
	int r = plan_check_text(launch->argv, launch->nenv, launch->env, err);

	for (unsigned i = 0; r == 0 && i < launch->nvolumes; i++) {
		r = check_utf8("volume", launch->volumes[i].source, err);
		if (r == 0)
			r = check_utf8("volume", launch->volumes[i].target, err);
	}
	return r;
}

int plan_oci(
	struct plan *p,
	const struct launch *launch,
	const struct host *host,
	const struct hostfs *fs,
	struct err *err
)
{
	const char *hostname = launch->hostname != NULL ? launch->hostname : p->lease.grant.name;
	_cleanup_json_ json_t *mounts = json_array();
	_cleanup_json_ json_t *rules = json_pack("[{s:b, s:s}]", "allow", 0, "access", "rwm");
	_cleanup_free_ char *state = str_printf(RUNTIME_DIR "/%s", p->lease.grant.name);
	_cleanup_json_ json_t *seccomp = NULL;
	const char *apparmor = NULL;

	if (state == NULL)
		return err_oom(err);
	if (check_text(launch, err) < 0)
		return -err->code;
	if (lease_note(&p->lease, "tree", state, err) < 0)
		return -err->code;
	snprintf(p->lease.runtime, sizeof(p->lease.runtime), "%s", launch->runtime);
	if (rights_seccomp(p, launch, &seccomp, err) < 0
	    || rights_apparmor(p, launch, fs, &apparmor, err) < 0
	    || plan_mounts(p, launch, host, fs, mounts, rules, err) < 0)
		return -err->code;
	p->oci = json_pack(
		"{s:s, s:o, s:{s:s, s:b}, s:s, s:O, s:o}",
		"ociVersion",
		"1.0.2",
		"process",
		process(p, launch, host, hostname, apparmor),
		"root",
		"path",
		BOX_DIR "/root",
		"readonly",
		1,
		"hostname",
		hostname,
		"mounts",
		mounts,
		"linux",
		linux_part(p, host, json_incref(rules), json_incref(seccomp))
	);
	p->argv = command(p, launch);
	p->nlimits = rights_limits(&p->lease.grant, &host->limits, p->limits);
	plan_userns(p, host);
	if (p->oci == NULL || p->argv == NULL)
		return err_oom(err);
	plan_step(p, STEP_DIR, STEP_FENCE, strdup(BOX_DIR "/bundle"), NULL)->mode = 0755;
	plan_step(
		p,
		STEP_FILE,
		STEP_FENCE,
		strdup(BOX_DIR "/bundle/config.json"),
		json_dumps(p->oci, JSON_COMPACT)
	)
		->mode = 0644;
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Limits. They sit on a cgroup of pinfold's own, above the container's:
//
//   pinfold/NAME        the lease: populated as long as it is in use
//   pinfold/NAME/super  the runtime, which only waits; none of the limits
//   pinfold/NAME/box    the limits; the workload is in box/c, which the runtime makes
//
// With a keeper, whose containers get no cgroup of their own from the runtime, memory and processes are
// limited in two parts of the box. Neither can take what is the other's:
//
//   pinfold/NAME/box/keeper  a reserve for the keeper and for the runtime, which only waits
//   pinfold/NAME/box/work    the grant's, exactly; a container's first process moves itself there
//
// (pinfold-NAME for a grant with a partition, partition.c)
// so that no hook is needed and so that limits which runtimes do not write are there too.

#include "host/cgroup.h"
#include "base/scope.h"
#include "base/size.h"
#include "plan/make.h"

#include <stdio.h>
#include <string.h>

// The reserve: of a keeper, the start of a workload, and one program for each of its clients
// (CLIENTS in keeper/loop.h). docs/keeper.md says what was measured.
#define KEEPER_PIDS 64u
#define KEEPER_MEMORY (UINT64_C(96) << 20)

static struct step *set(struct plan *p, char *path, char *value)
{
	return plan_step(p, STEP_SET, STEP_HOST, path, value);
}

static void make(struct plan *p, const char *base, const char *below)
{
	plan_step(p, STEP_CGROUP, STEP_HOST, str_printf("%s%s", base, below), NULL);
}

static char *number(uint64_t v)
{
	return str_printf("%llu", (unsigned long long)v);
}

static char *ids(const struct idset *s)
{
	char buf[IDSET_STR];

	return strdup(idset_format(s, buf, sizeof(buf)));
}

// The runtime is the first that makes the lease count as in use.
static void join_runtime(struct plan *p, const char *lease)
{
	if (site_has(&p->lease.site, SITE_CONTAINER | SITE_SPEC))
		plan_step(p, STEP_JOIN, STEP_ENTER, str_printf("%s/" CGROUP_RUNTIME, lease), NULL);
}

static void join(struct plan *p, const char *dir)
{
	plan_step(p, STEP_JOIN, STEP_ENTER, strdup(dir), NULL);
}

// A workload on the bare host has no runtime that would put it into its box. A keeper is in the box with
// all that it starts.
static void join_box(struct plan *p, const char *box)
{
	if (!site_has(&p->lease.site, SITE_CONTAINER | SITE_SPEC))
		join(p, box);
}

static void set_cpuset(
	struct plan *p, const char *dir, const struct idset *cpus, const struct idset *mems
)
{
	set(p, str_printf("%s/cpuset.cpus", dir), ids(cpus));
	set(p, str_printf("%s/cpuset.mems", dir), ids(mems));
}

// Limits of the box, whose control files lie in `box` under the names of the cgroup version.
static void limit_cpuset(struct plan *p, const char *box)
{
	struct idset cpus = grant_all_cpus(&p->lease.grant);

	set_cpuset(p, box, &cpus, &p->lease.grant.mems);
}

static void limit_pids(struct plan *p, const char *dir, uint64_t pids)
{
	set(p, str_printf("%s/pids.max", dir), number(pids));
}

// What waits in sockets is counted apart, and only for a cgroup that has a limit itself.
static void limit_sockets_v1(struct plan *p, const char *dir, uint64_t bytes)
{
	set(p, str_printf("%s/memory.kmem.tcp.limit_in_bytes", dir), number(bytes))->optional =
		true;
}

// Memory and swap together.
static void limit_swap_v1(struct plan *p, const char *dir, uint64_t bytes)
{
	set(p, str_printf("%s/memory.memsw.limit_in_bytes", dir), number(bytes))->optional = true;
}

static void limit_memory_v1(struct plan *p, const char *dir, uint64_t bytes)
{
	set(p, str_printf("%s/memory.limit_in_bytes", dir), number(bytes));
	limit_swap_v1(p, dir, bytes);
	limit_sockets_v1(p, dir, bytes);
}

static void limit_memory_v2(struct plan *p, const char *dir, uint64_t bytes)
{
	set(p, str_printf("%s/memory.max", dir), number(bytes));
	// what is swapped out would not count as memory; no file: nothing is swapped out
	set(p, str_printf("%s/memory.swap.max", dir), strdup("0"))->optional = true;
}

uint64_t plan_own_pids(const struct plan *p)
{
	struct idset all = grant_all_cpus(&p->lease.grant);

	// QEMU has a thread for each CPU of the guest
	return p->lease.site.pids + (site_has(&p->lease.site, SITE_GUEST) ? idset_count(&all) : 0);
}

// one more for pinfold-inside, the container's init
static uint64_t work_pids(const struct plan *p)
{
	return p->lease.grant.pids + plan_own_pids(p)
	       + (site_has(&p->lease.site, SITE_HOST_FILES) ? 0 : 1);
}

// The keeper may move what is in the box into `work`, with an id that is none outside its namespace: the
// kernel asks who opened the file, and on v2 also for the right on the file of the box.
static void give(struct plan *p, const char *dir, const char *file)
{
	struct step *s = plan_step(p, STEP_GIVE, STEP_HOST, str_printf("%s/%s", dir, file), NULL);

	s->uid = s->gid = p->lease.uid_base;
}

// Sizes that are not granted are limited too: to nothing.
static void limit_hugetlb(struct plan *p, const char *box, bool rsvd)
{
	bool v2 = p->host->cgroup.version == HOST_CGROUP_V2;

	for (unsigned i = 0; i < p->host->nsizes; i++) {
		uint64_t size = p->host->hugepages[i].size;
		uint64_t bytes = size * grant_pages(&p->lease.grant, size, -1, true, true);
		char name[SIZE_STR];

		size_format_hugetlb(size, name);
		// the reservation first: it is the one that makes over-use an error of mmap
		if (rsvd)
			set(p,
			    str_printf(
				    "%s/hugetlb.%s.rsvd.%s",
				    box,
				    name,
				    v2 ? "max" : "limit_in_bytes"
			    ),
			    number(bytes));
		set(p,
		    str_printf("%s/hugetlb.%s.%s", box, name, v2 ? "max" : "limit_in_bytes"),
		    number(bytes));
	}
}

static bool have(const struct host *host, unsigned bit)
{
	return (host->cgroup.controllers & bit) != 0;
}

static void limit_work_v2(struct plan *p, const char *dir)
{
	if (have(p->host, HOST_CG_MEMORY)) {
		limit_memory_v2(p, dir, plan_memory(p));
		set(p, str_printf("%s/memory.oom.group", dir), strdup("1"));
	}
	if (have(p->host, HOST_CG_PIDS))
		limit_pids(p, dir, work_pids(p));
}

static void divide_v2(struct plan *p, const char *box)
{
	_cleanup_free_ char *keeper = str_printf("%s/keeper", box);
	_cleanup_free_ char *work = str_printf("%s/work", box);

	if (keeper == NULL || work == NULL) {
		p->failed = true;
		return;
	}
	// a keeper is only started where both can be limited
	set(p, str_printf("%s/cgroup.subtree_control", box), strdup("+memory +pids"));
	make(p, keeper, "");
	limit_memory_v2(p, keeper, KEEPER_MEMORY);
	limit_pids(p, keeper, KEEPER_PIDS);
	make(p, work, "");
	limit_work_v2(p, work);
	give(p, box, "cgroup.procs");
	give(p, work, "cgroup.procs");
	join(p, keeper);
}

static int plan_v2(struct plan *p, struct err *err)
{
	_cleanup_free_ char *group = plan_lease_cgroup(&p->lease.grant);
	_cleanup_free_ char *top = str_printf("%s/pinfold", p->host->cgroup.mount);
	_cleanup_free_ char *lease = str_printf("%s/%s", p->host->cgroup.mount, group);
	_cleanup_free_ char *box = str_printf("%s/%s/box", p->host->cgroup.mount, group);
	bool below_top = !p->lease.grant.isolated;
	char on[PLAN_CONTROLLERS];

	if (group == NULL || top == NULL || lease == NULL || box == NULL)
		return err_oom(err);
	plan_controllers_v2(p->host, on);
	if (below_top)
		make(p, top, "");
	make(p, lease, "");
	make(p, lease, "/" CGROUP_RUNTIME);
	join_runtime(p, lease);
	set(p, str_printf("%s/cgroup.subtree_control", p->host->cgroup.mount), strdup(on));
	if (below_top)
		set(p, str_printf("%s/cgroup.subtree_control", top), strdup(on));
	plan_weight_v2(p, top, lease);
	plan_rdma_controller(p, top, lease);
	plan_partition_lease(p, lease);
	set(p, str_printf("%s/cgroup.subtree_control", lease), strdup(on));
	make(p, box, "");
	if (have(p->host, HOST_CG_CPUSET))
		limit_cpuset(p, box);
	plan_partition_box(p, lease, box);
	if (have(p->host, HOST_CG_HUGETLB))
		limit_hugetlb(p, box, have(p->host, HOST_CG_HUGETLB_RSVD));
	plan_rdma_limits(p, box);
	if (site_has(&p->lease.site, SITE_DIVIDED)) {
		if (plan_devices(p, box, HOST_CGROUP_V2, err) < 0)
			return -err->code;
		divide_v2(p, box);
	} else {
		limit_work_v2(p, box);
		join_box(p, box);
	}
	snprintf(p->lease.cgroup, sizeof(p->lease.cgroup), "%s", lease);
	return 0;
}

// pinfold, pinfold/NAME and pinfold/NAME/box in one hierarchy. Returns the box's path.
static char *make_v1(struct plan *p, const char *dir)
{
	_cleanup_free_ char *top = str_printf("%s/%s/pinfold", p->host->cgroup.mount, dir);
	_cleanup_free_ char *lease = str_printf("%s/%s", top, p->lease.grant.name);
	// a new cpuset of v1 is empty and takes no process until it has CPUs and nodes
	bool cpuset = str_eq(dir, p->host->cgroup.dir_cpuset);

	make(p, top, "");
	if (cpuset)
		set_cpuset(p, top, &p->host->online, &p->host->nodes_with_memory);
	make(p, lease, "");
	if (cpuset)
		set_cpuset(p, lease, &p->host->online, &p->host->nodes_with_memory);
	make(p, lease, "/box");
	return str_printf("%s/box", lease);
}

typedef void (*limit_fn)(struct plan *p, const char *dir, uint64_t value);

// A limit of the workload: on the box or, where a keeper is in it too, on their parts of it.
static void limit_v1(
	struct plan *p, const char *box, limit_fn limit, uint64_t reserve, uint64_t granted
)
{
	_cleanup_free_ char *keeper = str_printf("%s/keeper", box);
	_cleanup_free_ char *work = str_printf("%s/work", box);

	if (!site_has(&p->lease.site, SITE_DIVIDED)) {
		limit(p, box, granted);
		join_box(p, box);
		return;
	}
	if (keeper == NULL || work == NULL) {
		p->failed = true;
		return;
	}
	make(p, keeper, "");
	limit(p, keeper, reserve);
	make(p, work, "");
	limit(p, work, granted);
	give(p, work, "tasks");
	join(p, keeper);
}

// Where a runtime puts the container: made here, for the one limit that it could not be told of in words
// that every kernel has a file for.
static void runtime_memory_v1(struct plan *p, const char *box)
{
	_cleanup_free_ char *inner = str_printf("%s/c", box);

	if (!site_has(&p->lease.site, SITE_CONTAINER | SITE_SPEC))
		return;
	if (inner == NULL) {
		p->failed = true;
		return;
	}
	make(p, inner, "");
	limit_sockets_v1(p, inner, plan_memory(p));
}

static int plan_v1(struct plan *p, struct err *err)
{
	const char *name = p->lease.grant.name, *mount = p->host->cgroup.mount;
	const struct host_controller *c = host_cgroup_tracker(&p->host->cgroup);
	const char *track = c != NULL ? host_controller_dir(&p->host->cgroup, c) : NULL;

	if (track == NULL)
		return err_set(
			err,
			EOPNOTSUPP,
			"cgroups: none of pids, freezer, devices and memory is mounted, so nothing "
			"can tell "
			"whether a workload is alive; mount one"
		);
	snprintf(
		p->lease.cgroup,
		sizeof(p->lease.cgroup),
		"%.120s/%.31s/pinfold/%s",
		mount,
		track,
		name
	);
	plan_step(p, STEP_CGROUP, STEP_HOST, str_printf("%s/%s/pinfold", mount, track), NULL);
	make(p, p->lease.cgroup, "");
	make(p, p->lease.cgroup, "/" CGROUP_RUNTIME);
	join_runtime(p, p->lease.cgroup);
	// where there is no box
	if (track != p->host->cgroup.dir_pids)
		join_box(p, p->lease.cgroup);
	if (have(p->host, HOST_CG_CPUSET)) {
		_cleanup_free_ char *box = make_v1(p, p->host->cgroup.dir_cpuset);

		limit_cpuset(p, box);
		join_box(p, box);
	}
	if (have(p->host, HOST_CG_MEMORY)) {
		_cleanup_free_ char *box = make_v1(p, p->host->cgroup.dir_memory);

		limit_v1(p, box, limit_memory_v1, KEEPER_MEMORY, plan_memory(p));
		runtime_memory_v1(p, box);
	}
	if (have(p->host, HOST_CG_PIDS)) {
		_cleanup_free_ char *box = make_v1(p, p->host->cgroup.dir_pids);

		limit_v1(p, box, limit_pids, KEEPER_PIDS, work_pids(p));
	}
	if (have(p->host, HOST_CG_HUGETLB)) {
		_cleanup_free_ char *box = make_v1(p, p->host->cgroup.dir_hugetlb);

		limit_hugetlb(p, box, have(p->host, HOST_CG_HUGETLB_RSVD));
		join_box(p, box);
	}
	if (have(p->host, HOST_CG_RDMA) && grant_has_bifurcated(&p->lease.grant)) {
		_cleanup_free_ char *box = make_v1(p, p->host->cgroup.dir_rdma);

		plan_rdma_limits(p, box);
	}
	// in a container the runtime makes it, as in every hierarchy
	if (!site_has(&p->lease.site, SITE_CONTAINER | SITE_SPEC)
	    && have(p->host, HOST_CG_FREEZER)) {
		_cleanup_free_ char *box = make_v1(p, p->host->cgroup.dir_freezer);

		join_box(p, box);
	}
	if (site_has(&p->lease.site, SITE_DIVIDED) && have(p->host, HOST_CG_DEVICES)) {
		_cleanup_free_ char *box = make_v1(p, p->host->cgroup.dir_devices);

		if (plan_devices(p, box, HOST_CGROUP_V1, err) < 0)
			return -err->code;
		join_box(p, box);
	}
	return 0;
}

int plan_cgroup(struct plan *p, struct err *err)
{
	_cleanup_free_ char *undo = plan_lease_cgroup(&p->lease.grant);

	if (undo == NULL)
		return err_oom(err);
	if (plan_usual_mount(p, err) < 0 || plan_enforceable(p->launch, p->host, err) < 0)
		return -err->code;
	if (lease_note(&p->lease, "cgroup", undo, err) < 0)
		return -err->code;
	switch (p->host->cgroup.version) {
	case HOST_CGROUP_V1:
		return plan_v1(p, err);
	case HOST_CGROUP_V2:
		return plan_v2(p, err);
	case HOST_CGROUP_NONE:
		break;
	}
	return err_set(
		err,
		EOPNOTSUPP,
		"cgroups are not mounted; mount them with: mount -t cgroup2 none /sys/fs/cgroup"
	);
}

unsigned plan_work_files(
	const struct lease *lease, const struct host *host, char *ret[static SITE_JOINS]
)
{
	const struct host_cgroup *cg = &host->cgroup;

	if (cg->version == HOST_CGROUP_V2) {
		ret[0] = str_printf("%s/box/work/cgroup.procs", lease->cgroup);
		return 1;
	}
	ret[0] = str_printf(
		"%s/%s/pinfold/%s/box/work/tasks", cg->mount, cg->dir_memory, lease->grant.name
	);
	ret[1] = str_printf(
		"%s/%s/pinfold/%s/box/work/tasks", cg->mount, cg->dir_pids, lease->grant.name
	);
	return 2;
}

// ---- of one that runs

// Of a program in a container, whose own cgroup a runtime has made, with limits of its own.
static void change_inner(struct plan *p, const char *box, const char *file, uint64_t value)
{
	// it is not there between two starts
	if (site_has(&p->lease.site, SITE_CONTAINER))
		set(p, str_printf("%s/c/%s", box, file), number(value))->optional = true;
}

static void change_memory_v1(struct plan *p, const char *box, bool more)
{
	_cleanup_free_ char *inner = str_printf("%s/c", box);
	uint64_t bytes = plan_memory(p);

	// with swap it must never be less than without
	if (more)
		limit_swap_v1(p, box, bytes);
	limit_memory_v1(p, box, bytes);
	if (inner == NULL)
		p->failed = true;
	else if (site_has(&p->lease.site, SITE_CONTAINER | SITE_SPEC))
		limit_sockets_v1(p, inner, bytes);
}

void plan_change_limits(struct plan *p, const struct grant *from)
{
	const struct grant *to = &p->lease.grant;
	const struct host_cgroup *cg = &p->host->cgroup;
	bool v2 = cg->version == HOST_CGROUP_V2;
	_cleanup_free_ char *memory =
		v2 ? str_printf("%s/box", p->lease.cgroup)
		   : str_printf("%s/%s/pinfold/%s/box", cg->mount, cg->dir_memory, to->name);
	_cleanup_free_ char *pids =
		v2 ? strdup(memory != NULL ? memory : "")
		   : str_printf("%s/%s/pinfold/%s/box", cg->mount, cg->dir_pids, to->name);

	if (memory == NULL || pids == NULL) {
		p->failed = true;
		return;
	}
	if (to->memory != from->memory && have(p->host, HOST_CG_MEMORY) && v2) {
		set(p, str_printf("%s/memory.max", memory), number(plan_memory(p)));
		change_inner(p, memory, "memory.max", plan_memory(p));
	} else if (to->memory != from->memory && have(p->host, HOST_CG_MEMORY)) {
		change_memory_v1(p, memory, to->memory > from->memory);
	}
	if (to->pids != from->pids && have(p->host, HOST_CG_PIDS)) {
		limit_pids(p, pids, work_pids(p));
		change_inner(p, pids, "pids.max", work_pids(p));
	}
}

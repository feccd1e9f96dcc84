// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which limits this host can enforce. Where one is missing, the start is refused with the cure, unless
// that limit was waived by name; where cgroups are not where the runtime looks for them, too.

#include "base/scope.h"
#include "plan/make.h"

#include <stdio.h>
#include <string.h>

#define USUAL_MOUNT "/sys/fs/cgroup"

// The one line for a limit that this host cannot enforce, with the cure that fits it.
static int refuse(const struct launch_limit *n, const struct host_cgroup *cg, struct err *err)
{
	_cleanup_free_ char *top = NULL;

	if (n->bit == HOST_CG_HUGETLB_RSVD)
		return err_set(
			err,
			EOPNOTSUPP,
			"limit 'hugetlb-rsvd' cannot be enforced: the kernel counts no hugepage "
			"reservations (Linux 5.7 does); accept it with --allow-missing=hugetlb-rsvd"
		);
	if (cg->version == HOST_CGROUP_V2)
		return err_set(
			err,
			EOPNOTSUPP,
			"limit '%s' cannot be enforced: the %s controller is not in "
			"/sys/fs/cgroup/cgroup.controllers; build or boot the kernel with it, or "
			"accept it with "
			"--allow-missing=%s",
			n->name,
			n->controller,
			n->name
		);
	if (cg->version == HOST_CGROUP_V1 && (cg->known & n->bit) != 0) {
		top = str_quote(cg->mount);
		if (top == NULL)
			return err_oom(err);
		return err_set(
			err,
			EOPNOTSUPP,
			"limit '%s' cannot be enforced: the %s controller is not mounted; mount it "
			"with: "
			"mkdir -p %s/%s && mount -t cgroup -o %s none %s/%s",
			n->name,
			n->controller,
			top,
			n->controller,
			n->controller,
			top,
			n->controller
		);
	}
	return err_set(
		err,
		EOPNOTSUPP,
		"limit '%s' cannot be enforced: no %s controller on this host; accept it with "
		"--allow-missing=%s",
		n->name,
		n->controller,
		n->name
	);
}

int plan_enforceable(const struct launch *launch, const struct host *host, struct err *err)
{
	for (size_t i = 0; i < LAUNCH_LIMITS; i++) {
		unsigned bit = launch_limits[i].bit;

		if ((host->cgroup.controllers & bit) != 0 || (launch->allow_missing & bit) != 0)
			continue;
		if (bit == HOST_CG_DEVICES
		    && (host->cgroup.version == HOST_CGROUP_V2
			|| site_has(&launch->site, SITE_HOST_FILES)))
			continue;
		if ((bit == HOST_CG_HUGETLB || bit == HOST_CG_HUGETLB_RSVD) && host->nsizes == 0)
			continue;
		return refuse(&launch_limits[i], &host->cgroup, err);
	}
	return 0;
}

int plan_change_enforceable(
	const struct grant *g,
	const struct grant_change *c,
	const struct host *host,
	struct err *err
)
{
	const unsigned changed =
		(c->memory != 0 && c->memory != g->memory ? (unsigned)HOST_CG_MEMORY : 0)
		| (c->pids != 0 && c->pids != g->pids ? (unsigned)HOST_CG_PIDS : 0);

	for (size_t i = 0; i < LAUNCH_LIMITS; i++) {
		const struct launch_limit *n = &launch_limits[i];

		if ((changed & n->bit & ~host->cgroup.controllers) != 0)
			return err_set(
				err,
				EOPNOTSUPP,
				"update '%s': limit '%s' cannot be enforced on this host, and it "
				"runs without (--allow-missing=%s); leave --%s out",
				g->name,
				n->name,
				n->name,
				n->name
			);
	}
	return 0;
}

void plan_controllers_v2(const struct host *host, char ret[static PLAN_CONTROLLERS])
{
	ret[0] = '\0';
	for (size_t i = 0; i < LAUNCH_LIMITS; i++) {
		if ((host->cgroup.controllers & launch_limits[i].bit) != 0
		    && strstr(ret, launch_limits[i].controller) == NULL
		    && launch_limits[i].bit != HOST_CG_DEVICES)
			str_add(ret, PLAN_CONTROLLERS, " ", "+%s", launch_limits[i].controller);
	}
}

int plan_usual_mount(const struct plan *p, struct err *err)
{
	const char *mount = p->host->cgroup.mount;

	if (!site_has(&p->lease.site, SITE_CONTAINER) || mount[0] == '\0'
	    || (p->host->cgroup.version == HOST_CGROUP_V1 && !p->lease.site.runtime.kind->usual_v1)
	    || str_eq(mount, USUAL_MOUNT) || str_eq(mount, USUAL_MOUNT "/unified"))
		return 0;
	return err_set(
		err,
		EOPNOTSUPP,
		"cgroups are mounted at '%s', and %s looks for them at " USUAL_MOUNT
		" alone; mount them there "
		"too (mount --rbind), or run it with --in host",
		mount,
		p->lease.site.runtime.kind->name
	);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What root makes once for a keeper and what the keeper, without privileges, could not: the limits
// (cgroup.c), the hugetlbfs, device nodes, directories of links, the host's directories. It all lies in the keeper's mount
// namespace, below PEN_DIR; the views and roots of its containers the keeper makes itself, at FENCE_DIR.

#include "base/scope.h"
#include "plan/make.h"

#include <stdio.h>
#include <string.h>

static struct step *pen(struct plan *p, enum step_kind kind, const char *below, char *value)
{
	return plan_step(p, kind, STEP_FENCE, str_printf(PEN_DIR "%s", below), value);
}

static void node(struct plan *p, const char *name, dev_t rdev, void *arg)
{
	char below[32];
	struct step *s;

	(void)arg;
	snprintf(below, sizeof(below), "/vfio/%s", name);
	s = pen(p, STEP_NODE, below, NULL);
	s->mode = 0600;
	s->uid = s->gid = p->lease.uid_base;
	s->rdev = rdev;
}

int plan_pen(struct plan *p, struct err *err)
{
	const struct grant *g = &p->lease.grant;
	_cleanup_free_ char *sock = str_printf(KEEPERS_DIR "/%s.sock", g->name);
	_cleanup_free_ char *filter = NULL;
	struct step *s;

	if (sock == NULL)
		return err_oom(err);
	if (lease_note(&p->lease, "tree", sock, err) < 0 || plan_links(p, err) < 0)
		return -err->code;
	pen(p, STEP_TMPFS, "", strdup("mode=0711,size=16m"));
	// the keeper mounts a tmpfs of its own here for each container, and opens the place before
	plan_fence_step(p, STEP_TMPFS, strdup(FENCE_DIR), strdup("mode=0755,size=64k"));
	s = pen(p, STEP_DIR, "/state", NULL);
	s->mode = 0700;
	s->uid = g->owner_uid;
	s->gid = g->owner_gid;
	// the owner may not be allowed to pass to where it is installed
	pen(p, STEP_DIR, "/tools", NULL)->mode = 0755;
	pen(p, STEP_BIND, "/tools", plan_directory_of(p->launch->inside))->readonly = true;
	plan_nodes(p, PEN_DIR "/dev");
	plan_root_sources(p);
	// the keeper gives the top directory to the user of each program it starts
	plan_hugetlbfs(p, p->lease.uid_base, p->lease.uid_base);
	if (g->nnics > 0)
		pen(p, STEP_DIR, "/vfio", NULL)->mode = 0755;
	if (plan_vfio(p, node, NULL, err) < 0)
		return -err->code;
	// a profile may be where its owner cannot read it
	if (rights_seccomp(p, &filter, err) < 0)
		return -err->code;
	p->filter = json_loads(filter, 0, NULL);
	return p->filter != NULL ? 0 : err_oom(err);
}

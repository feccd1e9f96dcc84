// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Other limits for a workload that runs: its cgroup, and what it is shown of them. What it is shown it is shown
// in files of pinfold's own, which all who see them see written over. The container of an engine has no process
// of pinfold's any more by which they could be reached: it goes on to see what it was started with.

#include "base/jread.h"
#include "base/scope.h"
#include "plan/make.h"

#include <string.h>

static void rewrite(struct plan *p, char *path, char *content)
{
	plan_fence_step(p, STEP_REWRITE, path, content);
}

static const char *content_of(const struct view *v, const char *path)
{
	for (unsigned i = 0; i < v->n; i++) {
		if (v->entries[i].kind == VIEW_FILE && str_eq(v->entries[i].path, path))
			return v->entries[i].value;
	}
	return NULL;
}

// The files of a view that say another thing than they did: both are made of the machine as it is now.
static int rewrite_view(struct plan *p, const struct grant *from, struct err *err)
{
	const bool whole = site_has(&p->lease.site, SITE_CONTAINER);
	struct view before = {0}, *now = &p->view;

	if (view_build(from, p->host, p->fs, whole, &before, err) < 0)
		return -err->code;
	if (view_build(&p->lease.grant, p->host, p->fs, whole, now, err) < 0) {
		view_done(&before);
		return -err->code;
	}
	for (unsigned i = 0; i < now->n; i++) {
		const struct view_entry *e = &now->entries[i];
		const char *was = e->kind == VIEW_FILE ? content_of(&before, e->path) : NULL;

		if (was != NULL && !str_eq(was, e->value))
			rewrite(p, str_printf(FENCE_DIR "/view/%s", e->path), strdup(e->value));
	}
	view_done(&before);
	return 0;
}

int plan_change(
	const struct lease *lease,
	const struct grant *to,
	const struct host *host,
	const struct hostfs *fs,
	struct plan *ret,
	struct err *err
)
{
	struct plan p = {.lease = *lease, .notes = json_array(), .host = host, .fs = fs};
	json_t *inner;
	int r = 0;

	p.lease.grant = *to;
	// between two starts it has neither
	if (lease->again != LEASE_WAITING)
		plan_change_limits(&p, &lease->grant);
	if (lease->again != LEASE_WAITING && !site_has(&lease->site, SITE_SPEC)) {
		r = rewrite_view(&p, &lease->grant, err);
		inner = plan_inner_grant(&p);
		rewrite(&p, strdup(FENCE_DIR "/own/grant.json"), json_dumps(inner, JSON_INDENT(2)));
		json_decref(inner);
	}
	if (r == 0 && p.failed)
		r = err_oom(err);
	if (r < 0) {
		plan_done(&p);
		return r;
	}
	p.host = NULL;
	p.fs = NULL;
	*ret = p;
	return 0;
}

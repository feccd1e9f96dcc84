// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "plan/make.h"
#include "plan/nic.h"
#include "plan/vfs.h"

#include "base/jread.h"
#include "base/scope.h"

#include <string.h>

struct step *plan_step(
	struct plan *p, enum step_kind kind, enum step_where where, char *path, char *value
)
{
	static struct step scratch;

	value = plan_labelled(p, kind, value);
	if (value == NULL && kind != STEP_CGROUP && kind != STEP_JOIN && kind != STEP_TOUCH
	    && kind != STEP_DIR && kind != STEP_NODE && kind != STEP_GIVE
	    && kind != STEP_DETACH_HUGETLBFS && kind != STEP_MODULE && kind != STEP_PROBE)
		p->failed = true;
	if (value == NULL)
		value = strdup("");
	if (p->nsteps == p->room) {
		unsigned room = p->room == 0 ? 128 : p->room * 2;
		struct step *more = realloc(p->steps, room * sizeof(*more));

		if (more != NULL) {
			p->steps = more;
			p->room = room;
		}
	}
	if (path == NULL || value == NULL || p->nsteps == p->room) {
		p->failed = true;
		free(path);
		free(value);
		return &scratch;
	}
	p->steps[p->nsteps] = (struct step){
		.kind = kind,
		.recursive = kind == STEP_BIND && site_has(&p->lease.site, SITE_BELOW),
		.where = where,
		.path = path,
		.value = value,
	};
	return &p->steps[p->nsteps++];
}

struct step *plan_fence_step(struct plan *p, enum step_kind kind, char *path, char *value)
{
	return plan_step(p, kind, STEP_FENCE, path, value);
}

void plan_dir(struct plan *p, char *path)
{
	plan_fence_step(p, STEP_DIR, path, NULL)->mode = 0755;
}

void plan_file(struct plan *p, char *path, char *content)
{
	plan_fence_step(p, STEP_FILE, path, content)->mode = 0644;
}

void plan_link(struct plan *p, char *path, char *to)
{
	plan_fence_step(p, STEP_SYMLINK, path, to);
}

struct step *plan_bind(struct plan *p, char *from, char *to, bool readonly)
{
	struct step *s = plan_fence_step(p, STEP_BIND, to, from);

	s->readonly = readonly;
	return s;
}

void plan_expect(struct plan *p, dev_t dev, ino_t ino)
{
	if (p->failed || p->nsteps == 0)
		return;
	p->steps[p->nsteps - 1].dev = dev;
	p->steps[p->nsteps - 1].ino = ino;
}

void plan_idmap(struct plan *p)
{
	struct step *s = p->nsteps > 0 ? &p->steps[p->nsteps - 1] : NULL;

	if (p->failed || s == NULL)
		return;
	s->idmapped = true;
	s->recursive = false;
	s->uid = p->lease.uid_base + plan_uid(p);
	s->gid = p->lease.uid_base + plan_gid(p);
}

void plan_owner(struct plan *p, const struct launch_volume *v)
{
	struct step *s =
		plan_step(p, STEP_OWNER, STEP_HOST, strdup(v->source), strdup(p->lease.grant.name));

	s->uid = p->lease.uid_base + plan_uid(p);
	s->gid = p->lease.uid_base + plan_gid(p);
	s->dev = v->dev;
	s->ino = v->ino;
	plan_note(
		p,
		"'%s' is the program's while it runs: it may rename and remove what lies there, "
		"whoever's that is; what it makes stays with ids of no account: the next workload "
		"has others until a reboot, and reads it only where its mode lets all",
		v->source
	);
}

int plan_build(
	const struct lease *lease,
	const struct launch *launch,
	const struct host *host,
	const struct hostfs *fs,
	struct plan *ret,
	struct err *err
)
{
	struct plan p = {
		.lease = *lease,
		.notes = json_array(),
		.launch = launch,
		.host = host,
		.fs = fs,
	};
	const struct site *site = &p.lease.site;
	int r;

	p.lease.site = launch->site;
	if (site_has(site, SITE_GUEST))
		p.lease.site.locked = plan_vm_locked(&p);
	p.lease.detached = launch->detached;
	r = rights_check(&p, err);
	if (r == 0)
		r = plan_label(&p, err);
	if (r == 0 && launch->look) {
		plan_nics_for_lease(&p);
		plan_vfs_notes(&p);
	}
	if (r == 0 && site_has(site, SITE_LEASE))
		r = plan_cgroup(&p, err);
	if (r == 0 && site_has(site, SITE_PEN))
		r = plan_pen(&p, err);
	if (r == 0 && site_has(site, SITE_FENCE))
		r = plan_fence(&p, err);
	if (r == 0 && site_has(site, SITE_GUEST))
		r = plan_vm(&p, err);
	if (r == 0 && site_has(site, SITE_CONTAINER)) {
		r = plan_root(&p, err);
		if (r == 0)
			r = plan_oci(&p, err);
	} else if (r == 0 && site_has(site, SITE_HOST_FILES)) {
		r = plan_bare(&p, err);
	} else if (r == 0 && site_has(site, SITE_SPEC)) {
		r = plan_spec(&p, err);
	}
	if (r == 0) {
		plan_uio_notes(&p);
		plan_rdma_notes(&p);
		plan_notes(&p);
		rights_notes(&p);
		if (p.failed)
			r = err_oom(err);
	}
	if (r < 0) {
		plan_done(&p);
		return r;
	}
	p.launch = NULL;
	p.host = NULL;
	p.fs = NULL;
	*ret = p;
	return 0;
}

uint32_t plan_uid(const struct plan *p)
{
	return site_has(&p->lease.site, SITE_GUEST) ? 0 : p->launch->uid;
}

uint32_t plan_gid(const struct plan *p)
{
	return site_has(&p->lease.site, SITE_GUEST) ? 0 : p->launch->gid;
}

uint64_t plan_memory(const struct plan *p)
{
	return p->lease.grant.memory + p->lease.site.memory;
}

static void done_but_lease(struct plan *p)
{
	for (unsigned i = 0; i < p->nsteps; i++) {
		free(p->steps[i].path);
		free(p->steps[i].value);
	}
	free(p->steps);
	p->steps = NULL;
	p->nsteps = p->room = 0;
	view_done(&p->view);
	json_decref(p->argv);
	json_decref(p->env);
	json_decref(p->notes);
	json_decref(p->filter);
	json_decref(p->qemu);
	free(p->mount_label);
	p->mount_label = NULL;
	p->argv = p->env = p->notes = p->filter = p->qemu = NULL;
}

void plan_carried_out(struct plan *p)
{
	done_but_lease(p);
	json_decref(p->oci);
	p->oci = NULL;
}

void plan_done(struct plan *p)
{
	done_but_lease(p);
	json_decref(p->oci);
	*p = (struct plan){0};
}

json_t *plan_inner_grant(const struct plan *p)
{
	// whose it is on the host is none of the workload's business
	json_t *doc = grant_to_json(&p->lease.grant), *mounts = json_array(), *e;
	uint64_t sizes[HOST_PAGE_SIZES];
	unsigned n = plan_fs_sizes(&p->lease.grant, p->host, sizes);
	size_t i;

	json_object_del(doc, "owner");
	json_object_del(doc, "claim-by");
	for (unsigned k = 0; k < n; k++) {
		_cleanup_free_ char *target =
			site_has(&p->lease.site, SITE_HOST_FILES)
				? plan_hugepage_source(&p->lease.site, sizes[k])
				: plan_hugepage_target(&p->lease.grant, sizes[k]);

		json_array_append_new(
			mounts, json_pack("{s:o, s:s}", "size", json_size(sizes[k]), "path", target)
		);
	}
	json_object_set_new(doc, "hugetlbfs", mounts);
	// where the profile lies on the host is nobody's business inside
	if (p->lease.grant.seccomp[0] != '\0')
		json_object_set_new(
			doc,
			"seccomp",
			json_string(
				str_eq(p->lease.grant.seccomp, "aio")		? "aio"
				: str_starts(p->lease.grant.seccomp, "strict:") ? "strict"
										: "file"
			)
		);
	json_array_foreach (json_object_get(doc, "links"), i, e) {
		_cleanup_free_ char *dir =
			str_printf(LINKS_DIR "/%s", json_string_value(json_object_get(e, "name")));

		json_object_set_new(e, "dir", json_string(dir));
	}
	return doc;
}

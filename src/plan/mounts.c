// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The mounts of a container, in the order in which its runtime makes them, and the device rules that
// belong to them.

#include "base/scope.h"
#include "plan/make.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

// A mount with its options as one comma-separated string.
static void mount(
	struct plan *p,
	json_t *mounts,
	const char *target,
	const char *type,
	const char *source,
	const char *options
)
{
	json_t *list = json_array();
	_cleanup_free_ char *copy = strdup(options);
	char *save = NULL;

	for (char *o = copy != NULL ? strtok_r(copy, ",", &save) : NULL; o != NULL;
	     o = strtok_r(NULL, ",", &save))
		json_array_append_new(list, json_string(o));
	// a mount that is missing would be a gap
	if (copy == NULL || target == NULL || source == NULL
	    || json_array_append_new(
		       mounts,
		       json_pack(
			       "{s:s, s:s, s:s, s:o}",
			       "destination",
			       target,
			       "type",
			       type,
			       "source",
			       source,
			       "options",
			       list
		       )
	       ) < 0)
		p->failed = true;
}

static void base_mounts(struct plan *p, json_t *mounts)
{
	char owner[96];

	snprintf(
		owner,
		sizeof(owner),
		"nosuid,nodev,mode=0755,size=16m,uid=%u,gid=%u",
		p->launch->uid,
		p->launch->gid
	);
	mount(p, mounts, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	mount(p, mounts, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=64k");
	mount(p,
	      mounts,
	      "/dev/pts",
	      "devpts",
	      "devpts",
	      "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=64");
	mount(p, mounts, "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=64m");
	mount(p, mounts, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
	mount(p, mounts, "/tmp", "tmpfs", "tmpfs", "nosuid,nodev,mode=1777,size=64m");
	// EAL makes /var/run/dpdk, or $XDG_RUNTIME_DIR/dpdk when it is not root
	mount(p, mounts, "/run", "tmpfs", "tmpfs", owner);
}

// Something of the host, taken into the box as `name` (new string, owned here) and mounted from there.
static void host_mount(
	struct plan *p,
	json_t *mounts,
	char *name,
	const struct launch_volume *v,
	const char *options
)
{
	_cleanup_free_ char *from = plan_take_in(p, name, v->source, v->directory, v->readonly);

	if (v->ino != 0)
		plan_expect(p, v->dev, v->ino);
	mount(p, mounts, v->target, "bind", from, options);
	free(name);
}

// The files of /proc; /sys lies in the root.
static void view_mounts(struct plan *p, json_t *mounts)
{
	static const char options[] = "bind,ro,nosuid,nodev,noexec";
	const struct view *v = &p->view;

	for (unsigned i = 0; i < v->ncovers; i++) {
		const struct view_cover *c = &v->covers[i];
		_cleanup_free_ char *target = str_printf("/%s", c->path);
		_cleanup_free_ char *from = str_printf(FENCE_DIR "/view/%s", c->path);
		const struct launch_volume other = {
			.source = c->from, .target = target, .readonly = true};

		if (c->from != NULL)
			host_mount(p, mounts, str_printf("view-%u", i), &other, options);
		else
			mount(p, mounts, target, "bind", from, options);
	}
}

// /run/pinfold, a mount of its own that the workload cannot replace: the grant, the init and the
// directories of links.
static void own_mounts(struct plan *p, json_t *mounts)
{
	_cleanup_free_ char *inside =
		str_printf(FENCE_DIR "/tools%s", strrchr(p->launch->inside, '/'));
	const struct grant *g = &p->lease.grant;

	mount(p, mounts, RUN_DIR, "bind", FENCE_DIR "/own", "bind,ro,nosuid,nodev,noexec");
	mount(p, mounts, INSIDE, "bind", inside, "bind,ro,nosuid,nodev");
	for (unsigned i = 0; i < g->nlinks; i++) {
		const char *name = g->links[i].name;
		_cleanup_free_ char *dir = str_printf(LINKS_DIR "/%s", name);
		const struct launch_volume v = {.source = dir, .target = dir, .directory = true};

		host_mount(
			p, mounts, str_printf("link-%s", name), &v, "bind,rw,nosuid,nodev,noexec"
		);
	}
}

static void volume_mounts(struct plan *p, json_t *mounts)
{
	for (unsigned i = 0; i < p->launch->nvolumes; i++) {
		const struct launch_volume *v = &p->launch->volumes[i];

		host_mount(
			p,
			mounts,
			str_printf("volume-%u", i),
			v,
			v->readonly ? "rbind,ro,nosuid,nodev" : "rbind,rw,nosuid,nodev"
		);
	}
}

static void hugepage_mounts(struct plan *p, json_t *mounts)
{
	uint64_t sizes[HOST_PAGE_SIZES];
	unsigned n = plan_fs_sizes(&p->lease.grant, p->host, sizes);

	for (unsigned i = 0; i < n; i++) {
		_cleanup_free_ char *target = plan_hugepage_target(&p->lease.grant, sizes[i]);
		_cleanup_free_ char *from = plan_hugepage_source(&p->lease.site, sizes[i]);

		mount(p, mounts, target, "bind", from, "bind,rw,nosuid,nodev,noexec");
	}
}

struct device {
	json_t *mounts, *rules;
};

// A node of our own, owned by the container's user, is bound in: the host's node keeps its owner.
static void device(struct plan *p, const char *name, dev_t rdev, void *arg)
{
	const struct device *d = arg;
	_cleanup_free_ char *target = str_printf("/dev/vfio/%s", name);
	_cleanup_free_ char *from = str_printf("%s/%s", p->lease.site.nodes, name);

	if (site_has(&p->lease.site, SITE_NODES)) {
		struct step *s =
			plan_fence_step(p, STEP_NODE, from != NULL ? strdup(from) : NULL, NULL);

		s->mode = 0600;
		s->uid = p->lease.uid_base + p->launch->uid;
		s->gid = p->lease.uid_base + p->launch->gid;
		s->rdev = rdev;
	}
	mount(p, d->mounts, target, "bind", from, "bind,rw,nosuid,noexec");
	json_array_append_new(
		d->rules,
		json_pack(
			"{s:b, s:s, s:i, s:i, s:s}",
			"allow",
			1,
			"type",
			"c",
			"major",
			(int)major(rdev),
			"minor",
			(int)minor(rdev),
			"access",
			"rw"
		)
	);
}

int plan_mounts(struct plan *p, json_t *mounts, json_t *rules, struct err *err)
{
	struct device d = {.mounts = mounts, .rules = rules};

	base_mounts(p, mounts);
	view_mounts(p, mounts);
	own_mounts(p, mounts);
	hugepage_mounts(p, mounts);
	if (p->lease.grant.nnics > 0 && site_has(&p->lease.site, SITE_NODES))
		plan_dir(p, strdup(p->lease.site.nodes));
	if (plan_vfio(p, device, &d, err) < 0)
		return -err->code;
	volume_mounts(p, mounts);
	return 0;
}

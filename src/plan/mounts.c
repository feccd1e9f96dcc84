// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The mounts of a container, in the order in which its runtime makes them, and the device rules that
// belong to them.

#include "base/scope.h"
#include "base/str.h"
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

	str_foreach (o, copy, ",")
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
		plan_id(&p->lease, plan_uid(p)),
		plan_id(&p->lease, plan_gid(p))
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
	if (v->idmap)
		plan_idmap(p);
	mount(p, mounts, v->target, "bind", from, options);
	free(name);
}

#define VIEW_OPTIONS "bind,ro,nosuid,nodev,noexec"

// What of the host is bound into a directory of the view. One by one: crun leaves out what is mounted below a mount
// that it is told of, where the container has a user namespace.
static void view_binds(struct plan *p, json_t *mounts, const char *cover)
{
	const struct view *v = &p->view;
	size_t n = strlen(cover);

	for (unsigned i = 0; i < v->n; i++) {
		const char *path = v->entries[i].path;
		_cleanup_free_ char *target = str_printf("/%s", path);
		_cleanup_free_ char *from = str_printf(FENCE_DIR "/view/%s", path);

		if (v->entries[i].kind == VIEW_BIND && str_starts(path, cover) && path[n] == '/')
			mount(p, mounts, target, "bind", from, VIEW_OPTIONS);
	}
}

// The files of /proc; /sys lies in the root, but for a container of an engine.
static void view_mounts(struct plan *p, json_t *mounts)
{
	const struct view *v = &p->view;

	for (unsigned i = 0; i < v->ncovers; i++) {
		const struct view_cover *c = &v->covers[i];
		_cleanup_free_ char *target = str_printf("/%s", c->path);
		_cleanup_free_ char *from = str_printf(FENCE_DIR "/view/%s", c->path);
		const struct launch_volume other = {
			.source = c->from, .target = target, .readonly = true};

		if (c->from != NULL)
			host_mount(p, mounts, str_printf("view-%u", i), &other, VIEW_OPTIONS);
		else
			mount(p, mounts, target, "bind", from, VIEW_OPTIONS);
		if (c->from == NULL)
			view_binds(p, mounts, c->path);
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

static void published_mounts(struct plan *p, json_t *mounts)
{
	const struct launch *l = p->launch;

	for (unsigned i = 0; i < l->npublished; i++) {
		_cleanup_free_ char *from =
			str_printf(PUBLISH_DIR "/%s/%s", p->lease.grant.name, l->published[i].name);
		const struct launch_volume v = {
			.source = from, .target = l->published[i].dir, .directory = true};

		if (launch_publishes_dir(l, i))
			host_mount(
				p,
				mounts,
				str_printf("publish-%u", i),
				&v,
				"bind,rw,nosuid,nodev,noexec"
			);
	}
}

static void volume_mounts(struct plan *p, json_t *mounts)
{
	for (unsigned i = 0; i < p->launch->nvolumes; i++) {
		const struct launch_volume *v = &p->launch->volumes[i];

		struct launch_volume shown = *v;
		_cleanup_free_ char *place = NULL;

		// a guest's QEMU has them side by side, and hands them on
		if (site_has(&p->lease.site, SITE_GUEST))
			shown.target = place = str_printf(PLAN_VM "/volumes/%u", i);
		if (v->owner)
			plan_owner(p, v);
		host_mount(
			p,
			mounts,
			str_printf("volume-%u", i),
			&shown,
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

// noexec: QEMU hands it on, and starts nothing of it.
#define GUEST_ROOT "bind,ro,nosuid,nodev,noexec"

// One by one: crun leaves out what is mounted below a mount that it is told of.
static void guest_directory(struct plan *p, const char *name, void *arg)
{
	_cleanup_free_ char *from = str_printf(FENCE_DIR "/in/guest/%s", name);
	_cleanup_free_ char *target = str_printf(PLAN_VM "/root/%s", name);

	mount(p, arg, target, "bind", from, GUEST_ROOT);
}

// What QEMU reads: the kernel, and the root of its guest.
static void guest_mounts(struct plan *p, json_t *mounts)
{
	const struct launch_volume files[] = {
		{.source = p->launch->vm.kernel, .target = PLAN_VM "/kernel", .readonly = true},
		{.source = p->launch->vm.initramfs,
		 .target = PLAN_VM "/initramfs",
		 .readonly = true},
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		host_mount(
			p, mounts, str_printf("vm-%zu", i), &files[i], "bind,ro,nosuid,nodev,noexec"
		);
	mount(p, mounts, PLAN_VM "/root", "bind", FENCE_DIR "/in/guest", GUEST_ROOT);
	if (p->launch->image == NULL)
		plan_each_shown(p, guest_directory, mounts);
}

struct device {
	json_t *mounts, *rules;
	const char *dir; // of those that are found, below /dev
};

static void add_device(
	struct plan *p, const struct device *d, const char *target, const char *from, dev_t rdev
)
{
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

// A node of our own, owned by the container's user, is bound in: the host's node keeps its owner.
static void device_at(
	struct plan *p, const struct device *d, const char *target, const char *name, dev_t rdev
)
{
	_cleanup_free_ char *from = str_printf("%s/%s", p->lease.site.nodes, name);

	if (site_has(&p->lease.site, SITE_NODES)) {
		struct step *s =
			plan_fence_step(p, STEP_NODE, from != NULL ? strdup(from) : NULL, NULL);

		s->mode = 0600;
		s->uid = p->lease.uid_base + plan_uid(p);
		s->gid = p->lease.uid_base + plan_gid(p);
		s->rdev = rdev;
	}
	add_device(p, d, target, from, rdev);
}

static void device(struct plan *p, const char *name, dev_t rdev, void *arg)
{
	const struct device *d = arg;
	_cleanup_free_ char *target = str_printf("/dev/%s%s", d->dir, name);

	device_at(p, d, target, name, rdev);
}

static void port_device(struct plan *p, const char *name, dev_t rdev, void *arg)
{
	const char *file = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
	_cleanup_free_ char *target = str_printf("/dev/%s", name);
	_cleanup_free_ char *from = str_printf(PLAN_NET "/%s", file);

	add_device(p, arg, target, from, rdev);
}

int plan_spec_mounts(struct plan *p, json_t *mounts, json_t *rules, struct err *err)
{
	struct device d = {mounts, rules, ""}, vfio = {mounts, rules, "vfio/"},
		      rdma = {mounts, rules, "infiniband/"};

	view_mounts(p, mounts);
	own_mounts(p, mounts);
	// an engine that gave pages and devices itself has mounted and made them
	if (site_has(&p->lease.site, SITE_SPEC) && !site_has(&p->lease.site, SITE_PAGES))
		return 0;
	hugepage_mounts(p, mounts);
	if ((p->lease.grant.nnics > 0 || p->kvm) && site_has(&p->lease.site, SITE_NODES))
		plan_dir(p, strdup(p->lease.site.nodes));
	if (p->kvm)
		device_at(
			p, &d, "/dev/kvm", "kvm", makedev(10, 232)
		); // KVM_MINOR of linux/miscdevice.h
	if (site_has(&p->lease.site, SITE_GUEST))
		guest_mounts(p, mounts);
	if (plan_vfio(p, device, &vfio, err) < 0 || plan_uio(p, device, &d, err) < 0
	    || plan_rdma(p, device, &rdma, err) < 0)
		return -err->code;
	plan_port_nodes(p, port_device, &d);
	return 0;
}

int plan_mounts(struct plan *p, json_t *mounts, json_t *rules, struct err *err)
{
	base_mounts(p, mounts);
	if (plan_spec_mounts(p, mounts, rules, err) < 0)
		return -err->code;
	published_mounts(p, mounts);
	volume_mounts(p, mounts);
	return 0;
}

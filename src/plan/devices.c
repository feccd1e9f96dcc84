// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The granted VFIO groups; and the devices of a keeper and all that it starts, whose containers get no
// cgroup of their own from the runtime: those that every container has (OCI runtime specification,
// "Default Devices"), and those groups.

#include "base/scope.h"
#include "host/vfio.h"
#include "plan/make.h"
#include "plan/nic.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static const char *const always[] = {"1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:2", "136:*"};

// Of an engine's container; pinfold's own have one.
static bool has_userns(const struct plan *p)
{
	const json_t *system = json_object_get(p->launch->spec, "linux"), *e;
	size_t i;

	if (plan_host_ids(&p->lease))
		return false;
	json_array_foreach (json_object_get(system, "namespaces"), i, e) {
		const char *type = json_string_value(json_object_get(e, "type"));

		if (type != NULL && str_eq(type, "user"))
			return true;
	}
	return !site_has(&p->lease.site, SITE_SPEC);
}

// A runtime cannot make nodes in a user namespace and binds those of the host instead: a program inside
// could watch, lock and touch what every process of the host uses. Elsewhere it only covers files with null.
void plan_nodes(struct plan *p, const char *top)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} nodes[] = {
		{"null", 1, 3},
		{"zero", 1, 5},
		{"full", 1, 7},
		{"random", 1, 8},
		{"urandom", 1, 9},
		{"tty", 5, 0},
	};

	size_t n = has_userns(p) ? ARRAY_LEN(nodes) : 1;

	plan_dir(p, strdup(top));
	for (size_t i = 0; i < n; i++) {
		char *path = str_printf("%s/%s", top, nodes[i].name);
		struct step *s = plan_fence_step(p, STEP_NODE, path, NULL);

		// root's of the host: whoever is root inside does not change it
		s->mode = 0666;
		s->rdev = makedev(nodes[i].major, nodes[i].minor);
		s = plan_fence_step(
			p,
			STEP_BIND,
			str_printf("/dev/%s", nodes[i].name),
			str_printf("%s/%s", top, nodes[i].name)
		);
		s->rdev = makedev(nodes[i].major, nodes[i].minor);
	}
}

static void allow(struct plan *p, const char *box, const char *number)
{
	plan_step(
		p,
		STEP_SET,
		STEP_HOST,
		str_printf("%s/devices.allow", box),
		str_printf("c %s rwm", number)
	);
}

// For a plan that is only read: what is bound for the lease has its numbers only then.
static bool still_bound(const struct plan *p)
{
	for (unsigned i = 0; p->launch->look && i < p->lease.grant.nnics; i++) {
		if (plan_nic_waits(p, i))
			return true;
	}
	return false;
}

int plan_vfio(struct plan *p, plan_vfio_fn fn, void *arg, struct err *err)
{
	const struct grant *g = &p->lease.grant;
	unsigned n = 0;
	dev_t rdev;

	for (unsigned i = 0; i < g->nnics; i++)
		n += g->nics[i].iommu_group >= 0;
	if (n == 0)
		return 0;
	if (still_bound(p))
		rdev = makedev(10, 196); // VFIO_MINOR of the kernel
	else if (host_vfio_container(p->fs, &rdev, err) < 0)
		return -err->code;
	fn(p, "vfio", rdev, arg);
	for (unsigned i = 0; i < g->nnics; i++) {
		bool seen = g->nics[i].iommu_group < 0;
		char name[16];

		for (unsigned k = 0; k < i; k++)
			seen = seen || g->nics[k].iommu_group == g->nics[i].iommu_group;
		if (seen)
			continue;
		if (p->launch->look && plan_nic_waits(p, i))
			rdev = 0;
		else if (host_vfio_group(p->fs, g->nics[i].iommu_group, &rdev, err) < 0)
			return -err->code;
		snprintf(name, sizeof(name), "%d", g->nics[i].iommu_group);
		fn(p, name, rdev, arg);
	}
	return 0;
}

struct list {
	char text[64 + (GRANT_NICS + 1) * 24];
	size_t n;
};

static void add(struct plan *p, const char *name, dev_t rdev, void *arg)
{
	struct list *l = arg;

	(void)p;
	(void)name;
	l->n += (size_t
	)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%u:%u ", major(rdev), minor(rdev));
}

int plan_devices(struct plan *p, const char *box, enum host_cgroup_version version, struct err *err)
{
	struct list all = {0};

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		all.n += (size_t
		)snprintf(all.text + all.n, sizeof(all.text) - all.n, "%s ", always[i]);
	if (plan_vfio(p, add, &all, err) < 0)
		return -err->code;
	all.text[all.n - 1] = '\0';
	if (version == HOST_CGROUP_V2) {
		plan_step(p, STEP_DEVICES, STEP_HOST, strdup(box), strdup(all.text));
		return 0;
	}
	plan_step(p, STEP_SET, STEP_HOST, str_printf("%s/devices.deny", box), strdup("a"));
	str_foreach (word, all.text, " ")
		allow(p, box, word);
	return 0;
}

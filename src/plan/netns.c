// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Kernel ports: the network namespace of a container is made before the runtime starts, with a tap for each in it. A
// program that may open the tap's device exchanges packets with the kernel over it. The kernel drops all of it with
// the workload. Interfaces of the host are moved there when all else is made, and are given back at its end.

#include "base/scope.h"
#include "host/hostfs.h"
#include "plan/make.h"

#include <string.h>
#include <sys/sysmacros.h>

// Numbers that do not change: include/linux/miscdevice.h of the kernel.
#define TUN makedev(10, 200)
#define VHOST_NET makedev(10, 238)

static bool has_vhost(const struct grant *g)
{
	for (unsigned i = 0; i < g->nports; i++) {
		if (g->ports[i].vhost)
			return true;
	}
	return false;
}

static void need(struct plan *p, const char *device, const char *module)
{
	_cleanup_free_ char *path = str_printf("sys/class/misc/%s", device);
	_cleanup_close_ int dir = path != NULL ? hostfs_dir(p->fs->root, path) : -1;

	if (dir < 0)
		plan_step(p, STEP_MODULE, STEP_HOST, strdup(module), NULL);
}

static void node(struct plan *p, const char *name, dev_t rdev)
{
	struct step *s = plan_fence_step(p, STEP_NODE, str_printf(PLAN_NET "/%s", name), NULL);

	s->mode = 0666; // as the host has it: what a tap lets in is its owner
	s->rdev = rdev;
}

// The devices, before they are mounted.
void plan_port_nodes(struct plan *p, plan_vfio_fn fn, void *arg)
{
	const struct grant *g = &p->lease.grant;

	if (g->nports == 0)
		return;
	need(p, "tun", "tun");
	plan_dir(p, strdup(PLAN_NET));
	node(p, "tun", TUN);
	fn(p, "net/tun", TUN, arg);
	if (!has_vhost(g))
		return;
	need(p, "vhost-net", "vhost_net");
	node(p, "vhost-net", VHOST_NET);
	fn(p, "vhost-net", VHOST_NET, arg);
}

bool plan_has_netns(const struct plan *p)
{
	return p->lease.grant.nports > 0 || p->lease.grant.nnetdevs > 0;
}

void plan_netns(struct plan *p)
{
	const struct grant *g = &p->lease.grant;
	char text[GRANT_PORTS * (GRANT_PORT_STR + 1)] = "", one[GRANT_PORT_STR];

	if (!plan_has_netns(p))
		return;
	for (unsigned i = 0; i < g->nports; i++)
		str_add(text, sizeof(text), " ", "%s", grant_port_text(&g->ports[i], one));
	plan_fence_step(p, STEP_NETNS, strdup(PLAN_NETNS), strdup(text))->uid = plan_uid(p);
}

int plan_netdevs(struct plan *p, struct err *err)
{
	const struct grant *g = &p->lease.grant;
	char text[GRANT_NETDEVS * (GRANT_NETDEV_STR + 1)] = "", one[GRANT_NETDEV_STR];
	_cleanup_free_ char *path = str_printf(PLAN_NETDEVS "/%s", g->name);

	if (g->nnetdevs == 0)
		return 0;
	if (path == NULL)
		return err_oom(err);
	if (lease_note(&p->lease, "netdevs", path, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < g->nnetdevs; i++)
		str_add(text, sizeof(text), " ", "%s", grant_netdev_text(&g->netdevs[i], one));
	plan_step(p, STEP_NETDEVS, STEP_ENTER, steal_ptr(path), strdup(text));
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whether a grant can have its interfaces of the host.

#include "grant/choose.h"
#include "grant/nic_use.h"

#include "base/hint.h"
#include "base/scope.h"

#include <linux/capability.h>
#include <string.h>

const struct grant *netdev_holder(const struct holdings *others, const char *name)
{
	for (unsigned i = 0; i < others->n; i++) {
		const struct grant *g = &others->held[i].grant;

		for (unsigned k = 0; k < g->nnetdevs; k++) {
			if (str_eq(g->netdevs[k].name, name))
				return g;
		}
	}
	return NULL;
}

static int not_there(const struct host *host, const char *name, struct err *err)
{
	_cleanup_free_ const char **names = calloc(host->nnetdevs + 1, sizeof(*names));
	char buf[HINT_MAX];

	if (names == NULL)
		return err_oom(err);
	for (unsigned i = 0; i < host->nnetdevs; i++)
		names[i] = host->netdevs[i].name;
	return err_set(
		err,
		ENODEV,
		"netdev '%s' does not exist%s; see ip link",
		name,
		hint(buf, name, names)
	);
}

bool netdev_is_of(const struct host_netdev *n, const struct host_pci *p)
{
	size_t len = strlen(p->path);

	return str_eq(p->netdev, n->name)
	       || (len > 0 && strncmp(n->path, p->path, len) == 0 && n->path[len] == '/');
}

// A NIC of the grant whose driver stays, and its interface with it.
static bool is_beside(const struct grant *g, const struct host_pci *p)
{
	for (unsigned i = 0; i < g->nnics; i++) {
		if (g->nics[i].bifurcated && str_eq(g->nics[i].bdf, p->bdf))
			return true;
	}
	return false;
}

// Its function would be taken from its driver, and it with it; or others depend on it.
static int check_function(
	const struct grant *g,
	const struct host_netdev *now,
	bool rdma,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	bool beside = false;

	for (unsigned i = 0; i < host->npci; i++) {
		const struct host_pci *p = &host->pci[i];
		const struct holding *had = nic_holder(others, p->bdf);
		const struct grant *holder = had != NULL ? &had->grant : NULL;

		if (!netdev_is_of(now, p))
			continue;
		beside = beside || is_beside(g, p);
		if (p->numvfs > 0)
			return err_set(
				err,
				EBUSY,
				"netdev '%s' is of NIC %s, whose %u VFs depend on it; name the "
				"interface of a VF",
				now->name,
				p->bdf,
				p->numvfs
			);
		if (holder == NULL && nic_granted((const struct terms *)g, p->bdf)
		    && !is_beside(g, p))
			holder = g;
		if (holder != NULL)
			return err_set(
				err,
				EBUSY,
				"netdev '%s' is of NIC %s, which is granted to '%s'",
				now->name,
				p->bdf,
				holder->name
			);
	}
	if (rdma && !beside)
		return err_set(
			err,
			EINVAL,
			"netdev '%s': rdma is of a NIC whose kernel driver stays; grant that: "
			"--nic %s",
			now->name,
			now->name
		);
	return 0;
}

static int check_netdev(
	const struct grant *g,
	const struct grant_netdev *n,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	const struct grant *holder = netdev_holder(others, n->name);
	const struct host_netdev *now = host_netdev(host, n->name);

	if (holder != NULL)
		return err_set(
			err, EBUSY, "netdev '%s' is granted to '%s' already", n->name, holder->name
		);
	if (now == NULL)
		return not_there(host, n->name, err);
	// the kernel takes what is on top of it away with it
	if (now->upper[0] != '\0')
		return err_set(
			err,
			EBUSY,
			"netdev '%s' is a port of '%s', or below it; take it from there first",
			n->name,
			now->upper
		);
	if (now->lent[0] != '\0')
		return err_set(
			err,
			EBUSY,
			"netdev '%s' is below '%s', which a container has; stop that first",
			n->name,
			now->lent
		);
	if (now->default_route && !n->force)
		return err_set(
			err,
			EBUSY,
			"netdev '%s' carries the default route of this host; choose another, or "
			"say "
			"--netdev %s,force",
			n->name,
			n->name
		);
	if (now->addressed && !n->force)
		return err_set(
			err,
			EBUSY,
			"netdev '%s' has an address or a route of this host; take them away, or "
			"say --netdev %s,force",
			n->name,
			n->name
		);
	return check_function(g, now, n->rdma, host, others, err);
}

// One name in the container, for the kernel's end of a port too.
static int check_names(const struct grant *g, struct err *err)
{
	for (unsigned i = 0; i < g->nnetdevs; i++) {
		for (unsigned k = 0; k < g->nports; k++) {
			if (str_eq(g->netdevs[i].inside, g->ports[k].name))
				return err_set(
					err,
					EINVAL,
					"netdev '%s': a kernel port is called %s already; say "
					"another name=",
					g->netdevs[i].name,
					g->ports[k].name
				);
		}
	}
	return 0;
}

// With it a program could stack an interface on one of the host's, which would stay there, set up VFs and write firmware.
static int check_caps(const struct grant *g, struct err *err)
{
	if (g->nnetdevs == 0 || (g->caps & (UINT64_C(1) << CAP_NET_ADMIN)) == 0)
		return 0;
	for (unsigned i = 0; i < g->nports; i++) {
		if (!g->ports[i].vhost)
			return err_set(
				err,
				EINVAL,
				"netdev '%s': kernel port '%s' brings NET_ADMIN, with which what "
				"is "
				"made of it could stay on the host; say --kernel-port %s,vhost",
				g->netdevs[0].name,
				g->ports[i].name,
				g->ports[i].name
			);
	}
	return err_set(
		err,
		EINVAL,
		"netdev '%s': with NET_ADMIN what the program makes of it could stay on the host; "
		"leave out --cap NET_ADMIN, and set it up from outside",
		g->netdevs[0].name
	);
}

int check_netdevs(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	for (unsigned i = 0; i < g->nnetdevs; i++) {
		if (check_netdev(g, &g->netdevs[i], host, others, err) < 0)
			return -err->code;
	}
	if (check_caps(g, err) < 0)
		return -err->code;
	return check_names(g, err);
}

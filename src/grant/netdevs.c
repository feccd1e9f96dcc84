// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whether a grant can have its interfaces of the host.

#include "grant/choose.h"

#include "base/hint.h"
#include "base/scope.h"

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

// The function would be taken from its driver, and the interface with it.
static int check_function(
	const struct grant *g,
	const char *name,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	for (unsigned i = 0; i < host->npci; i++) {
		const struct host_pci *p = &host->pci[i];
		const struct grant *holder = nic_holder(others, p->bdf);

		if (!str_eq(p->netdev, name))
			continue;
		if (holder == NULL && nic_granted((const struct terms *)g, p->bdf))
			holder = g;
		if (holder != NULL)
			return err_set(
				err,
				EBUSY,
				"netdev '%s' is of NIC %s, which is granted to '%s'",
				name,
				p->bdf,
				holder->name
			);
	}
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
	return check_function(g, n->name, host, others, err);
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
	return check_names(g, err);
}

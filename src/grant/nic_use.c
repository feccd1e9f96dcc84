// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "grant/nic_use.h"

#include "grant/choose.h"

#include <errno.h>

const struct holding *nic_holder(const struct holdings *others, const char *bdf)
{
	for (unsigned i = 0; i < others->n; i++) {
		if (nic_granted((const struct terms *)&others->held[i].grant, bdf))
			return &others->held[i];
	}
	return NULL;
}

int nic_check_idle(
	const struct host_pci *p, const char *noun, const struct holdings *others, struct err *err
)
{
	const struct holding *h = nic_holder(others, p->bdf);

	if (h == NULL || !h->live)
		return 0;
	return err_set(
		err, EBUSY, "%s %s is in use by '%s'; stop that first", noun, p->bdf, h->grant.name
	);
}

int nic_check_lent(const struct host_pci *p, const char *noun, struct err *err)
{
	if (p->lent[0] == '\0')
		return 0;
	return err_set(
		err,
		EBUSY,
		"%s %s: a container has its interface '%s', or one on top of it; stop that first",
		noun,
		p->bdf,
		p->lent
	);
}

int nic_check_use(const struct host_pci *p, const char *noun, const char *cure, struct err *err)
{
	bool port = !p->default_route && p->upper[0] != '\0';

	if (!p->default_route && !p->addressed && !port)
		return 0;
	return err_set(
		err,
		EBUSY,
		"%s %s (%s) %s%s; %s",
		noun,
		p->bdf,
		p->netdev,
		p->default_route ? "carries the default route of this host"
		: port		 ? "is a port of "
				 : "has an address or a route of this host",
		port ? p->upper : "",
		cure
	);
}

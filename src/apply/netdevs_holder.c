// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which function of a NIC, and which other interface, is in use because a lease has an interface of it, or on top of it.

#include "apply/netdevs.h"

#include "apply/apply.h"
#include "base/scope.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

// Its own, or that of what it is on top of.
static bool is_of(const struct link *was, const char *bdf)
{
	char part[32];

	snprintf(part, sizeof(part), "/%s/", bdf);
	return strstr(was->device, part) != NULL || strstr(was->lower_device, part) != NULL;
}

// The next record of this boot. NULL: no more; else the name of its lease.
static const char *next_record(const struct ledger *l, DIR *d, struct netdev_record *r)
{
	const char *name;
	struct err unused;

	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		_cleanup_close_ int dir =
			openat(dirfd(d), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (netdev_record_read(dir, r, &unused) == 0
		    && netdev_record_of_this_boot(&l->fs, r))
			return name;
	}
	return NULL;
}

bool netdevs_holder(const struct ledger *l, const char *bdf, struct netdev_holder *ret)
{
	_cleanup_free_ struct netdev_record *r = malloc(sizeof(*r));
	_cleanup_closedir_ DIR *d = hostfs_opendir(l->fs.root, PLAN_NETDEVS + 1);
	const char *name;

	while (r != NULL && (name = next_record(l, d, r)) != NULL) {
		for (unsigned i = 0; i < r->n; i++) {
			if (!is_of(&r->was[i], bdf))
				continue;
			snprintf(ret->netdev, sizeof(ret->netdev), "%s", r->was[i].name);
			snprintf(ret->lease, sizeof(ret->lease), "%s", name);
			return true;
		}
	}
	return false;
}

int netdevs_mark(const struct ledger *l, struct host *h, struct err *err)
{
	_cleanup_free_ struct netdev_record *r = malloc(sizeof(*r));
	_cleanup_closedir_ DIR *d = hostfs_opendir(l->fs.root, PLAN_NETDEVS + 1);

	if (r == NULL)
		return err_oom(err);
	while (next_record(l, d, r) != NULL) {
		for (const struct link *was = r->was; was < r->was + r->n; was++) {
			for (unsigned i = 0; i < h->npci; i++) {
				if (is_of(was, h->pci[i].bdf))
					strcpy(h->pci[i].lent, was->name);
			}
			for (unsigned i = 0; i < h->nnetdevs; i++) {
				if (was->lower != 0 && h->netdevs[i].inode == was->lower)
					strcpy(h->netdevs[i].lent, was->name);
			}
		}
	}
	return 0;
}

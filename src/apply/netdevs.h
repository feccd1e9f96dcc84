// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Interfaces of the host that are in a container's network namespace: below PLAN_NETDEVS a directory for each lease,
// with both namespaces, which are kept by it, and netdevs.json, what the interfaces were. It is there before the first
// of them is moved, and gone when all of them are back.
#pragma once

#include "apply/link.h"
#include "grant/grant.h"

struct netdev_record {
	char boot_id[HOST_BOOT_ID]; // inodes are of this boot; "": not told
	unsigned n;
	struct link was[GRANT_NETDEVS];
};

bool netdev_record_of_this_boot(const struct hostfs *fs, const struct netdev_record *r);
int netdev_record_write(int dir, const struct netdev_record *r, struct err *err);
bool netdev_record_exists(int dir);
int netdev_record_remove(int dir, struct err *err);			     // none is fine
int netdev_record_read(int dir, struct netdev_record *ret, struct err *err); // -ENOENT

// ---- netdevs_kept.c: network namespaces that the directory `path` keeps

#define NS_HOME "home"	  // the one that they are from
#define NS_THERE "inside" // the container's

// For a child of pinfold that is about to be the workload; dir: `path`, open.
int netdevs_keep(int dir, const char *path, const char *name, int ns, struct err *err);
int netdevs_let_go(const char *path, const char *name, struct err *err); // none is fine
int netdevs_open_kept(const char *path, const char *name); // -1: it is not kept any more

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What kubelet may hand out: the grants that are made with --claim-by=kubernetes. Those that are alike by name ("fw-1",
// "fw-2", as grant create --count makes them) are devices of one resource, pinfold.dev/fw.
#pragma once

#include "base/err.h"
#include "base/idset.h"
#include "base/str.h"
#include "host/host.h"
#include "ledger/ledger.h"

#include <stdbool.h>

struct device {
	char name[NAME_MAX_LEN + 1]; // of the grant
	char token[TOKEN_STR];	     // what is handed out with it; "": it has none
	struct idset nodes;	     // where its CPUs and pages are
	char why[128];		     // it cannot be used now; "": it can
};

struct resource {
	char name[NAME_MAX_LEN + 1]; // without "pinfold.dev/"
	unsigned n;
	struct device *devices; // in the order of the ledger
};

struct catalog {
	unsigned n;
	struct resource *resources;
};

// "fw-12": "fw". One that has no number is a resource of its own. What Kubernetes takes for a name.
void catalog_resource_of(const char *grant, char ret[static NAME_MAX_LEN + 1]);

// before: what there was; a device of it whose definition is there and cannot be read is kept, unusable.
int catalog_read(
	const struct ledger *l,
	const struct host *host,
	const struct catalog *before,
	struct catalog *ret,
	struct err *err
);
void catalog_done(struct catalog *c);

struct resource *catalog_find(const struct catalog *c, const char *name);
const struct device *resource_find(const struct resource *r, const char *name);
bool resource_equal(const struct resource *a, const struct resource *b);

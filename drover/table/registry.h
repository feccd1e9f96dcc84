// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The tables in use, for those who show and change them. Control thread only.
#pragma once

#include "table/route.h"
#include "table/spec.h"
#include "table/users.h"

struct table {
	char name[SPEC_NAME];
	struct route_table *routes; // NULL: no task uses its routes
	struct user_table *users;
	struct table *next;
};

struct table *tables_first(void);
struct table *tables_find(const char *name); // NULL: none

// Reads a file below the configuration's folder into *ret, which the caller has emptied and releases.
int tables_read(const char *path, struct spec *ret, struct err *err);

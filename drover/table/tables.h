// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The tables that tasks look into while packets flow, by name. Tasks that name one table share it: what
// the upstream task learns of a CPE the downstream task finds. Control thread only.
//
// A name stands for what the configuration defined (specs), or for a file (file.h) when it has a '/'
// or ends in ".csv"; such a path is taken from the configuration's folder.
#pragma once

#include "base/err.h"

struct route_table;
struct specs;
struct user_table;

// Before tasks are made. specs: of the configuration, must last as long as tasks are made; NULL: none.
// folder: of the configuration's file, for tables in files; NULL: files are refused.
int tables_begin(const struct specs *specs, const char *folder, struct err *err);
// After tasks are gone: releases all tables.
void tables_end(void);

// Finds or makes the table. It stays until tables_end. socket: where its memory is.
int tables_routes(const char *name, int socket, struct route_table **ret, struct err *err);
int tables_users(const char *name, int socket, struct user_table **ret, struct err *err);
// Static CPEs of that name are put into the table of subscribers.
int tables_cpes(const char *name, struct user_table *users, struct err *err);

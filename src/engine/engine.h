// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The configuration of engines: that there is a runtime called pinfold, and which grants are CDI devices.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define ENGINE_RUNTIME "pinfold" // its name for engines

// What is wanted of a file.
struct engine_want {
	const char *runtime; // path of pinfold-runtime
	bool remove;	     // as if it had never been there
	bool usual;	     // for containers that name no runtime, too
};

struct engine {
	const char *name;
	const char *file;    // the usual place
	const char *restart; // what makes it read the file
	bool can_be_usual;   // engine_want.usual
	// What the file is to be. before: what it is, "" where there is none. New string; "": no file.
	int (*edit
	)(const char *before,
	  const char *what,
	  const struct engine_want *want,
	  char **ret,
	  struct err *err);
};

// NULL with err set: there is no such engine.
const struct engine *engine_find(const char *name, struct err *err);

// containerd.c, docker.c
int engine_edit_containerd(
	const char *before,
	const char *what,
	const struct engine_want *want,
	char **ret,
	struct err *err
);
int engine_edit_docker(
	const char *before,
	const char *what,
	const struct engine_want *want,
	char **ret,
	struct err *err
);

// The lines that differ, as diff -u marks them. Nothing where none does.
void engine_print_change(const char *file, const char *before, const char *after, FILE *out);

// file.c. "": there is no such file. New string.
int engine_read(const char *file, char **ret, struct err *err);
// Whole or not at all, with what it was kept beside it, as FILE.before-pinfold. "": it is removed. mode: 0: the one it
// has, 0644 for a new one.
int engine_write(
	const char *file, const char *before, const char *after, mode_t mode, struct err *err
);

// ---- cdi.c

#define CDI_FILE "/etc/cdi/pinfold.json"
#define CDI_KIND "pinfold.dev/grant"
#define CDI_MODE 0600 // names of devices have tokens, and engines are root
#define CDI_CLAIMS (CLAIM_BY_CDI | CLAIM_BY_KUBERNETES) // grants that are there for them

// Whether a device can have the name of such a grant.
bool cdi_can_name(const char *grant);

// The document for grants that are claimed by CDI devices: in the oldest version of the format that has what they
// need. Those of kubelet have a token in their name, which is made where there is none yet: the ledger is locked. New
// reference; JSON null: there are none.
int cdi_document(const struct ledger *l, json_t **ret, struct err *err);
// Writes CDI_FILE, or removes it where there are none: after grants have changed. The ledger is locked.
int cdi_refresh(const struct ledger *l, struct err *err);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// From files to all the files they need to run.
#pragma once

#include "base/err.h"
#include "image/entries.h"
#include "image/ldconf.h"

// The full path of a program given as a path or as a name found in PATH. *ret is to be freed.
int closure_find(const char *program, char **ret, struct err *err);

// Takes what the files in the set need that were not looked at yet: libraries, the dynamic loader,
// the interpreters of scripts. Nothing of it is run. note is told of interpreters and may be NULL.
int closure_complete(
	struct entries *s,
	const struct ldconf *conf,
	void (*note)(const char *line),
	struct err *err
);

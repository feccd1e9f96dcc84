// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A container of an engine that has a grant: its lease is found by the runtime's state directory and its own name.
#pragma once

#include "base/err.h"
#include "runtime/below.h"
#include "runtime/claim.h"
#include "runtime/command.h"

#include <stdbool.h>
#include <stdint.h>

// The file that says which lease it has: "/run/pinfold/engine/ID-MARK". Nothing is made. -EINVAL for a name that is
// none.
int container_file(const struct command *c, char **ret, struct err *err);

// In the undo list of its lease: that file.
#define CONTAINER_NOTE "tree"

// Whether this is root of the machine: an engine without root is that in a user namespace of its own.
bool container_by_root(void);

// A number that another text hardly has.
uint64_t container_mark(const char *text);

// True if it has one, as far as that can be seen at once.
bool container_has_grant(const struct command *c);

// Refuses what it cannot have: a checkpoint, and an update that makes untrue what it was shown.
int container_check(const struct command *c, struct err *err);

// Makes it, with the grant that it claims, or with what the engine gave it itself where it claims none: does what
// its command says, in the fence. Fails with nothing left; else *ret_status is the runtime's.
int container_make(
	const struct below *below,
	const struct command *c,
	const char *config,
	json_t *spec,
	const struct claim *claim,
	int *ret_status,
	struct err *err
);

// Has the runtime delete it, as what failed.
void container_unmake(const struct below *below, const struct command *c);

// Its first process, as the runtime tells.
int container_process(
	const struct below *below, const struct command *c, int *ret, struct err *err
);

// Does what its command says, which deletes it, and takes its lease back.
int container_delete(
	const struct below *below, const struct command *c, int *ret_status, struct err *err
);

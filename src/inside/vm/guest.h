// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The guest's first process, between its own files: whatever fails ends the guest.
#pragma once

#include "base/err.h"

#include <jansson.h>

#define GUEST_ROOT "/root" // where the program's root is made

// The host reads the console only when a start fails: the last line says why.
_Noreturn void guest_die(const char *fmt, ...) printf_like(1, 2);

// guest_nics.c: to the drivers that the setup names, while /sys and /dev are the guest's own.
void guest_nics(const json_t *setup);

// guest_root.c, in this order. What the guest itself needs;
void guest_first_mounts(void);
// the image, read-only, under a layer of memory;
void guest_root_mounts(void);
// what plan/mounts.c gives a container, in it;
void guest_places(const json_t *setup);
// and the volumes.
void guest_volumes(const json_t *list);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Takes an image away from its place, which somebody else may change at the same time: what has come out is compared
// with what was looked at, and what is another is put back, or kept.
#pragma once

#include "image/place.h"

// guard: as place_finish has it. replace: the new image comes to the place.
int take_away(struct place *p, const struct image_guard *guard, bool replace, struct err *err);

// In the work directory, what a command that was killed has left; but not what may be somebody's.
int take_sweep(struct place *p, struct err *err);

// On a file system that knows no flags the target may be taken meanwhile by an empty directory. -1: errno.
int take_rename(int from, const char *name, int to, const char *as);

// Whether a name is that of what was opened.
bool take_is_at(int fd, int dir, const char *name);

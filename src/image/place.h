// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Where an image goes. It is made in a directory of root's beside its place, closed to all others, and
// moved when it is whole. The directory above may be another user's, who can rename what is in it: so
// nothing is made, moved or removed there but by what was opened and looked at.
#pragma once

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

struct place {
	const char *dir;	 // as it was given
	int parent;		 // locked: one build at a time
	int work;		 // root's directory in it
	char path[PATH_MAX];	 // of the parent
	char name[NAME_MAX + 1]; // of the image in it
	char tmp[NAME_MAX + 1];	 // of the work directory in it
	bool exists;		 // an image is there, and is to be replaced
};

#define PLACE_NEW                        \
	{                                \
		.parent = -1, .work = -1 \
	}

// Finds the place of a new image, or of one to be replaced, and locks it.
int place_find(const char *dir, bool replace, struct place *p, struct err *err);

// Returns a descriptor of the empty directory that the image is to be written to.
int place_start(struct place *p, struct err *err);

// Moves the image to its place, and removes the old one.
int place_finish(struct place *p, struct err *err);

// Removes what was not moved.
void place_done(struct place *p);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Where an image goes. It is made in a directory of root's beside its place, closed to all others, and
// moved when it is whole. The directory above may be another user's, who can rename what is in it: so
// nothing is made or removed there but what was opened and looked at, and what comes out of there is looked at again.
#pragma once

#include "base/err.h"
#include "image/image.h"

#include <limits.h>
#include <stdbool.h>

struct place {
	const char *dir;  // as it was given
	const char *verb; // what is done there, for messages: "build" or "remove"
	int parent;
	int old;  // what is there, and is to go; -1: nothing
	int work; // root's directory in it, locked: one command at a time makes or removes the image
	char path[PATH_MAX];	 // of the parent
	char name[NAME_MAX + 1]; // of the image in it
	char tmp[NAME_MAX + 1];	 // of the work directory in it
};

#define PLACE_NEW                                   \
	{                                           \
		.parent = -1, .old = -1, .work = -1 \
	}

#define PLACE_MADE "image.new" // in the work directory: the image that is made

// Finds the place of a new image, or of one to be replaced, and locks it.
int place_find(const char *dir, bool replace, struct place *p, struct err *err);

// Returns a descriptor of the empty directory that the image is to be written to.
int place_start(struct place *p, struct err *err);

// Moves the image to its place, where nothing is.
int place_move(struct place *p, struct err *err);

// Moves the image to its place, and removes the old one. guard: of that one (image.h), or NULL.
int place_finish(struct place *p, const struct image_guard *guard, struct err *err);

// The same of an image that is to go; one that is not there is fine where a build or a removal that was killed has left
// something.
int place_find_old(const char *dir, struct place *p, struct err *err);

// Removes the image, and what they have left.
int place_remove(struct place *p, const struct image_guard *guard, struct err *err);

// Whether a name in a directory of images is that of a place where one is made, and which: what is left there when
// nobody works in it.
bool place_is_work(const char *name, char ret[static NAME_MAX + 1]);

// For messages.
const char *place_verb(const struct place *p);

// Removes what was not moved.
void place_done(struct place *p);

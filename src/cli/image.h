// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the commands of pinfold image share.
#pragma once

#include "base/err.h"
#include "image/image.h"
#include "ledger/ledger.h"

// A name without a slash is an image in the usual place. *ret is to be freed.
int image_path(const char *name, char **ret, struct err *err);

// Who uses an image, of what runs here: IMAGE_GUARD of a struct image_users.
struct image_users {
	struct hostfs fs;
	struct ledger l;
	const char *dir;
	dev_t dev;
	ino_t ino;
	int64_t until; // CLOCK_MONOTONIC in milliseconds, for all keepers to answer; 0: each has its own time
};
int image_users_begin(void *users, const char *dir, dev_t dev, ino_t ino, struct err *err);
int image_users_again(void *users, struct err *err);
void image_users_end(void *users);

#define IMAGE_GUARD(users)                                                      \
	{                                                                       \
		image_users_begin, image_users_again, image_users_end, &(users) \
	}

int cmd_image_remove(int argc, char **argv);

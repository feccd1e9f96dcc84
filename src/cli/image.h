// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the commands of pinfold image share.
#pragma once

#include "base/err.h"
#include "image/image.h"
#include "ledger/ledger.h"

// A name without a slash is an image in the usual place. *ret is to be freed.
int image_path(const char *name, char **ret, struct err *err);

// Who uses an image, of what runs here: with the guard's begin and end, the arg of which is a struct image_users.
struct image_users {
	struct hostfs fs;
	struct ledger l;
};
int image_users_begin(void *users, const char *dir, dev_t dev, ino_t ino, struct err *err);
void image_users_end(void *users);

int cmd_image_remove(int argc, char **argv);

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold image remove, and what keeps an image from being removed or replaced: who runs in it would lose the files that
// it has not opened yet.

#include "apply/apply.h"
#include "base/clock.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/image.h"
#include "cli/request.h"

#include <getopt.h>
#include <stdio.h>

#define AGAIN_MILLISECONDS 5000

static int used_by(const struct image_users *u, const char *name, struct err *err)
{
	return err_set(
		err,
		EBUSY,
		"image '%s' is used by '%s'; stop that first: pinfold stop %s",
		u->dir,
		name,
		name
	);
}

static int by_lease(const struct lease *lease, void *arg, struct err *err)
{
	const struct image_users *u = arg;

	if (lease->image[0] == '\0' || lease->image_dev != u->dev || lease->image_ino != u->ino)
		return 0;
	return used_by(u, lease->grant.name, err);
}

// What a keeper has started, its owner's lease does not tell. In which image is told before the program runs; one whose
// start has not come so far is waited for by who comes again.
static int by_keeper(const struct lease *lease, void *arg, struct err *err)
{
	const struct image_users *u = arg;
	const char *name = lease->grant.name;
	_cleanup_json_ json_t *row = NULL;
	const json_t *dev, *ino;
	struct err why;

	if (lease->site.place != PLACE_KEEPER)
		return 0;
	if (u->until != 0 && clock_ms() > u->until)
		return err_set(
			err,
			EBUSY,
			"image '%s': whether '%s' uses it was not told in time; try again",
			u->dir,
			name
		);
	row = cli_keeper_row(name, &why);
	dev = json_object_get(row, "image-device");
	ino = json_object_get(row, "image-inode");
	if (row != NULL && json_object_get(row, "image") == NULL)
		return 0;
	if (json_is_integer(dev) && json_is_integer(ino))
		return (dev_t)json_integer_value(dev) == u->dev
				       && (ino_t)json_integer_value(ino) == u->ino
			       ? used_by(u, name, err)
			       : 0;
	return err_set(
		err,
		EBUSY,
		"image '%s': whether '%s' uses it cannot be told (%s); try again, or pinfold grant "
		"stop %s",
		u->dir,
		name,
		row != NULL ? "it does not say in which it runs" : why.msg,
		name
	);
}

// Keepers are asked without the lock, which others wait for.
static int nobody_uses(struct image_users *u, struct err *err)
{
	struct err unused;

	if (ledger_lock(&u->l, err) < 0)
		return -err->code;
	gc_leases(&u->l, NULL, &unused); // of what died nobody is left
	ledger_unlock(&u->l);
	if (lease_each(&u->l, by_keeper, u, err) < 0 || ledger_lock(&u->l, err) < 0)
		return -err->code;
	return lease_each(&u->l, by_lease, u, err);
}

int image_users_begin(void *users, const char *dir, dev_t dev, ino_t ino, struct err *err)
{
	struct image_users *u = users;

	u->dir = dir;
	u->dev = dev;
	u->ino = ino;
	u->until = 0;
	if (cli_open_real(true, &u->fs, &u->l, err) < 0)
		return -err->code;
	if (nobody_uses(u, err) == 0)
		return 0;
	cli_close_real(&u->fs, &u->l);
	return -err->code;
}

// A keeper starts what it is told to without the lock: one may have found the image just before it was away.
int image_users_again(void *users, struct err *err)
{
	struct image_users *u = users;

	// others wait for the lock no longer than 20 s
	u->until = clock_ms() + AGAIN_MILLISECONDS;
	return lease_each(&u->l, by_keeper, u, err);
}

void image_users_end(void *users)
{
	struct image_users *u = users;

	cli_close_real(&u->fs, &u->l);
}

int cmd_image_remove(int argc, char **argv)
{
	struct image_users users;
	const struct image_guard guard = IMAGE_GUARD(users);
	struct err err;
	int status = STATUS_OK;

	if (cli_names(argc, argv, &err) < 0)
		return cli_fail(&err);
	if (optind >= argc)
		return cli_refuse("image remove: name at least one image; see pinfold image list");
	for (int i = optind; i < argc; i++) {
		_cleanup_free_ char *path = NULL;

		if (image_path(argv[i], &path, &err) < 0 || image_remove(path, &guard, &err) < 0)
			status = cli_fail(&err);
	}
	return status;
}

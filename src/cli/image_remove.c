// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold image remove, and what keeps an image from being removed or replaced: who runs in it would lose the files that
// it has not opened yet.

#include "apply/apply.h"
#include "base/jread.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/image.h"
#include "cli/request.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wanted {
	const char *dir;
	char path[sizeof(((struct lease *)NULL)->image)]; // as a lease has it
	dev_t dev;
	ino_t ino;
};

static int used_by(const struct wanted *w, const char *name, struct err *err)
{
	return err_set(
		err,
		EBUSY,
		"image '%s' is used by '%s'; stop that first: pinfold stop %s",
		w->dir,
		name,
		name
	);
}

static int by_lease(const struct lease *lease, void *arg, struct err *err)
{
	const struct wanted *w = arg;

	if (lease->image[0] == '\0' || lease->image_dev != w->dev || lease->image_ino != w->ino)
		return 0;
	return used_by(w, lease->grant.name, err);
}

// What a keeper has started, its owner's lease does not tell.
static int by_keeper(const struct lease *lease, void *arg, struct err *err)
{
	const struct wanted *w = arg;
	const char *name = lease->grant.name, *image;
	_cleanup_json_ json_t *row = NULL;
	struct err why;

	if (lease->site.place != PLACE_KEEPER)
		return 0;
	row = cli_keeper_row(name, &why);
	if (row == NULL)
		return err_set(
			err,
			EBUSY,
			"image '%s': whether '%s' uses it cannot be told (%s); pinfold grant stop "
			"%s",
			w->dir,
			name,
			why.msg,
			name
		);
	image = json_string_value(json_object_get(row, "image"));
	return image != NULL && str_eq(image, w->path) ? used_by(w, name, err) : 0;
}

// Keepers are asked without the lock, which others wait for.
static int nobody_uses(struct ledger *l, struct wanted *w, struct err *err)
{
	struct err unused;

	if (ledger_lock(l, err) < 0)
		return -err->code;
	gc_leases(l, NULL, &unused); // of what died nobody is left
	ledger_unlock(l);
	if (lease_each(l, by_keeper, w, err) < 0 || ledger_lock(l, err) < 0)
		return -err->code;
	return lease_each(l, by_lease, w, err);
}

int image_users_begin(void *users, const char *dir, dev_t dev, ino_t ino, struct err *err)
{
	struct image_users *u = users;
	struct wanted w = {.dir = dir, .dev = dev, .ino = ino};
	_cleanup_free_ char *path = realpath(dir, NULL);

	snprintf(w.path, sizeof(w.path), "%s", path != NULL ? path : dir);
	str_plain(w.path);
	if (cli_open_real(true, &u->fs, &u->l, err) < 0)
		return -err->code;
	if (nobody_uses(&u->l, &w, err) == 0)
		return 0;
	cli_close_real(&u->fs, &u->l);
	return -err->code;
}

void image_users_end(void *users)
{
	struct image_users *u = users;

	cli_close_real(&u->fs, &u->l);
}

int cmd_image_remove(int argc, char **argv)
{
	static const struct option longs[] = {{0}};
	struct image_users users;
	const struct image_guard guard = {image_users_begin, image_users_end, &users};
	struct err err;
	int status = STATUS_OK;

	optind = 0;
	if (cli_getopt(argc, argv, "", longs, &err) != -1)
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

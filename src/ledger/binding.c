// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "ledger/binding.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "ledger/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

// -1: there is none yet.
static int open_dir(const struct ledger *l)
{
	return fs_open_in(l->fs.root, NICS_DIR, O_RDONLY | O_DIRECTORY, 0);
}

int binding_write(const struct ledger *l, const struct binding *b, struct err *err)
{
	_cleanup_close_ int dir = fs_mkdirs(NICS_DIR, 0700, err);
	_cleanup_json_ json_t *doc = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:b, s:s}",
		"nic",
		b->bdf,
		"driver",
		b->driver,
		"former",
		b->former,
		"former-override",
		b->former_override,
		"lease",
		b->lease,
		"kept",
		b->kept,
		"with",
		b->with,
		"probe",
		b->probe,
		"boot-id",
		b->boot_id
	);

	(void)l;
	if (dir < 0)
		return dir;
	return files_write(dir, b->bdf, doc, false, err);
}

static int take(
	const json_t *doc, const char *what, const char *key, char *to, size_t room, struct err *err
)
{
	if (jread_text(doc, what, key, true, to, room, err) < 0)
		return -err->code;
	// these become file names
	if (strchr(to, '/') != NULL || to[0] == '.')
		return err_set(err, EINVAL, "read %s: '%s' is no name", what, key);
	return 0;
}

static int read_binding(
	const struct ledger *l, const char *bdf, struct binding *ret, struct err *err
)
{
	static const char *const keys[] = {
		"nic",
		"driver",
		"former",
		"former-override",
		"lease",
		"kept",
		"with",
		"probe",
		"boot-id",
		NULL};
	_cleanup_close_ int dir = open_dir(l);
	_cleanup_json_ json_t *doc = NULL;
	struct binding b = {0};
	char what[64];

	snprintf(what, sizeof(what), "binding '%s'", bdf);
	if (files_read(dir, bdf, "binding", &doc, err) < 0)
		return -err->code;
	if (jread_keys(doc, what, keys, err) < 0
	    || take(doc, what, "nic", b.bdf, sizeof(b.bdf), err) < 0
	    || take(doc, what, "driver", b.driver, sizeof(b.driver), err) < 0
	    || take(doc, what, "former", b.former, sizeof(b.former), err) < 0
	    || take(doc, what, "former-override", b.former_override, sizeof(b.former_override), err)
		       < 0
	    || take(doc, what, "lease", b.lease, sizeof(b.lease), err) < 0
	    || jread_bool(doc, what, "kept", &b.kept, err) < 0
	    || jread_bool(doc, what, "probe", &b.probe, err) < 0
	    || (json_object_get(doc, "with") != NULL
		&& take(doc, what, "with", b.with, sizeof(b.with), err) < 0)
	    || take(doc, what, "boot-id", b.boot_id, sizeof(b.boot_id), err) < 0)
		return -err->code;
	if (!str_eq(b.bdf, bdf))
		return err_set(err, EINVAL, "read %s: it is of NIC '%s'", what, b.bdf);
	*ret = b;
	return 0;
}

int binding_read(const struct ledger *l, const char *bdf, struct binding *ret, struct err *err)
{
	int r = read_binding(l, bdf, ret, err);

	return r < 0 && r != -ENOENT
		       ? err_wrap(err, "use '" NICS_DIR "/%s.json' (mend or remove it)", bdf)
		       : r;
}

int binding_remove(const struct ledger *l, const char *bdf, struct err *err)
{
	_cleanup_close_ int dir = open_dir(l);

	if (dir >= 0 && files_remove(dir, bdf, err) < 0)
		return -err->code;
	binding_sweep(l);
	return 0;
}

void binding_sweep(const struct ledger *l)
{
	unlinkat(l->fs.root, NICS_DIR + 1, AT_REMOVEDIR); // where it is empty
}

int binding_each(const struct ledger *l, binding_fn fn, void *arg, struct err *err)
{
	_cleanup_close_ int dir = open_dir(l);
	_cleanup_names_ struct names names = {0};
	struct err first = {0};
	int r;

	if (l->lock >= 0)
		files_sweep(dir);
	if (files_names(dir, &names, err) < 0)
		return -err->code;
	for (size_t i = 0; i < names.n; i++) {
		struct binding b;

		if (str_eq(names.list[i], BINDING_NOTES))
			continue;
		r = binding_read(l, names.list[i], &b, err);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			err_keep(&first, err);
		if (r == 0 && (r = fn(&b, arg, err)) != 0)
			return r;
	}
	return err_first(&first, err);
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Definitions: one file each below /etc/pinfold/grants.d.

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "ledger/files.h"
#include "ledger/ledger.h"

#include <stdio.h>
#include <string.h>

int definition_write(const struct ledger *l, const struct grant *g, struct err *err)
{
	_cleanup_json_ json_t *doc = grant_to_json(g);

	return files_write(l->defs, g->name, doc, true, err);
}

int definition_read(const struct ledger *l, const char *name, struct grant *ret, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	struct grant g;
	int r;

	if (name_check("a grant", name, err) < 0)
		return -err->code;
	r = files_read(l->defs, name, "grant", &doc, err);
	if (r == -ENOENT)
		return r;
	if (r == 0)
		r = grant_from_json(doc, "grant", &g, err);
	if (r == 0 && !str_eq(g.name, name))
		r = err_set(err, EINVAL, "it says its name is '%s'", g.name);
	if (r < 0)
		return err_wrap(
			err, "use '" ETC_DIR "/grants.d/%s.json' (mend or remove it)", name
		);
	*ret = g;
	return 0;
}

int definition_remove(const struct ledger *l, const char *name, struct err *err)
{
	return files_remove(l->defs, name, err);
}

int definition_each(const struct ledger *l, definition_fn fn, void *arg, struct err *err)
{
	_cleanup_names_ struct names names = {0};
	int r = files_names(l->defs, &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct grant g;

		r = definition_read(l, names.list[i], &g, err);
		if (r == 0)
			r = fn(&g, arg, err);
	}
	return r;
}

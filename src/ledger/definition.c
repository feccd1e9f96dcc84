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

	// of one whose file was removed by hand
	if (!definition_exists(l, g->name) && token_remove(l, g->name, err) < 0)
		return -err->code;
	return files_write(l->defs, g->name, doc, true, err);
}

int definition_read(const struct ledger *l, const char *name, struct grant *ret, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	struct grant g;
	int r;

	if (name_check("a grant", name, err) < 0)
		return definition_exists(l, name) ? err_wrap(
			       err, "use '" ETC_DIR "/grants.d/%s.json' (remove it)", name
		       )
						  : -err->code;
	r = files_read(l->defs, name, "grant", &doc, err);
	if (r == -ENOENT)
		return err_set(
			err, ENOENT, "grant '%s' does not exist; see pinfold grant list", name
		);
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
	return token_remove(l, name, err) < 0 ? -err->code : files_remove(l->defs, name, err);
}

int definition_each(const struct ledger *l, definition_fn fn, void *arg, struct err *err)
{
	_cleanup_names_ struct names names = {0};
	struct err unreadable = {0}, e;
	int r = files_names(l->defs, &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct grant g;

		if (definition_read(l, names.list[i], &g, &e) == 0)
			r = fn(&g, arg, err);
		else if (e.code != ENOENT) // gone since
			err_keep(&unreadable, &e);
	}
	return r == 0 ? err_first(&unreadable, err) : r;
}

bool definition_exists(const struct ledger *l, const char *name)
{
	return files_exists(l->defs, name);
}

// ---- several at once

#define INTENT ".creating" // names of definitions that are not valid before this file is gone

int definitions_begin(const struct ledger *l, const json_t *names, struct err *err)
{
	_cleanup_json_ json_t *doc = json_pack("{s:O}", "names", names);
	_cleanup_free_ char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;

	return text != NULL ? fs_write_durable(l->defs, INTENT, text, strlen(text), 0600, err)
			    : err_oom(err);
}

int definitions_commit(const struct ledger *l, struct err *err)
{
	return unlinkat(l->defs, INTENT, 0) == 0 || errno == ENOENT
		       ? 0
		       : err_sys(err, errno, "keep the new grants");
}

int definitions_pending(const struct ledger *l, json_t **ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *doc = NULL;
	const char *what = "'" ETC_DIR "/grants.d/" INTENT "'";
	json_t *names = NULL;
	size_t len;
	int r = l->defs >= 0 ? fs_read_system(l->defs, INTENT, 1u << 20, &text, &len) : -ENOENT;

	if (r < 0 && r != -ENOENT)
		return err_sys(err, -r, "read %s", what);
	if (r == 0
	    && (jread_parse(text, len, what, &doc, err) < 0
		|| jread_array(doc, what, "names", &names, err) < 0))
		return -err->code;
	*ret = r == 0 && names == NULL ? json_array() : json_incref(names);
	return 0;
}

int definitions_cancel(const struct ledger *l, struct err *err)
{
	_cleanup_json_ json_t *names = NULL;
	json_t *name;
	size_t i;

	if (definitions_pending(l, &names, err) < 0)
		return err_wrap(
			err, "take back grants that were not completed (or remove that file)"
		);
	if (names == NULL)
		return 0;
	json_array_foreach (names, i, name) {
		const char *s = json_string_value(name);

		if (s == NULL || name_check("a grant", s, err) < 0)
			continue;
		if (definition_remove(l, s, err) < 0)
			return -err->code;
	}
	return definitions_commit(l, err);
}

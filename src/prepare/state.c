// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "prepare/prepare.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "host/hostfs.h"
#include "prepare/step.h"

#include <fcntl.h>
#include <string.h>

#define FILE_NAME "prepared.json"
#define FORMAT 1

static int read_prepared(const struct ledger *l, json_t **ret, struct err *err)
{
	static const char *const keys[] = {"format", "boot-id", "steps", NULL};
	static const char what[] = "'" RUN_DIR "/" FILE_NAME "'";
	_cleanup_json_ json_t *doc = NULL;
	const char *boot = "";
	uint64_t format = 0;
	json_t *steps = NULL, *s;
	char now[HOST_BOOT_ID];
	size_t i;
	int r = jread_own(l->fs.root, RUN_DIR "/" FILE_NAME, what, &doc, err);

	if (r == -ENOENT) {
		*ret = json_array();
		return 0;
	}
	if (r < 0 || jread_keys(doc, what, keys, err) < 0
	    || jread_u64(doc, what, "format", true, FORMAT, &format, err) < 0
	    || jread_str(doc, what, "boot-id", true, &boot, err) < 0
	    || jread_array(doc, what, "steps", &steps, err) < 0)
		return -err->code;
	json_array_foreach (steps, i, s) {
		struct prepare_step unused;

		if (prepare_step_read(s, &unused, err) < 0)
			return err_wrap(err, "read %s", what);
	}
	hostfs_boot_id(l->fs.root, now);
	// with the boot it all went
	*ret = str_eq(boot, now) && steps != NULL ? json_incref(steps) : json_array();
	return 0;
}

int prepared_read(const struct ledger *l, json_t **ret, struct err *err)
{
	return read_prepared(l, ret, err) < 0 ? err_wrap(
		       err,
		       "use '" RUN_DIR "/" FILE_NAME "' (mend it, or remove it: what was "
		       "prepared then stays until the next boot)"
	       )
					      : 0;
}

int prepared_write(const struct ledger *l, const json_t *steps, struct err *err)
{
	_cleanup_close_ int dir = fs_open_in(l->fs.root, RUN_DIR, O_RDONLY | O_DIRECTORY, 0);
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *text = NULL;
	char boot[HOST_BOOT_ID];

	if (dir < 0)
		return err_sys(err, errno, "open '" RUN_DIR "'");
	if (json_array_size(steps) == 0) {
		if (unlinkat(dir, FILE_NAME, 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "remove '" RUN_DIR "/" FILE_NAME "'");
		return 0;
	}
	hostfs_boot_id(l->fs.root, boot);
	doc = json_pack(
		"{s:i, s:s, s:O}", "format", FORMAT, "boot-id", boot, "steps", (json_t *)steps
	);
	text = doc != NULL ? json_dumps(doc, JSON_INDENT(1) | JSON_ENSURE_ASCII) : NULL;
	if (text == NULL)
		return err_oom(err);
	return fs_write_atomic(dir, FILE_NAME, text, strlen(text), 0600, err);
}

static bool same_place(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"do", "path", "start"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const json_t *x = json_object_get(a, keys[i]), *y = json_object_get(b, keys[i]);

		if (x != y && (x == NULL || y == NULL || !json_equal(x, y)))
			return false;
	}
	return true;
}

static bool is_noted(const json_t *noted, const json_t *step)
{
	const json_t *n;
	size_t i;

	json_array_foreach ((json_t *)noted, i, n) {
		if (same_place(n, step))
			return true;
	}
	return false;
}

json_t *prepared_with(const json_t *noted, const json_t *steps)
{
	json_t *all = json_copy((json_t *)noted), *s;
	size_t i;

	json_array_foreach ((json_t *)steps, i, s) {
		if (!is_noted(noted, s))
			json_array_append(all, s);
	}
	return all;
}

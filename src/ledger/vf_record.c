// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "ledger/vf_record.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "ledger/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

// -1: there is none yet.
static int open_dir(const struct ledger *l, const char *dir)
{
	return fs_open_in(l->fs.root, dir, O_RDONLY | O_DIRECTORY, 0);
}

int vf_record_write(
	const struct ledger *l, const char *dir, const struct vf_record *r, struct err *err
)
{
	_cleanup_json_ json_t *vfs = json_array();
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_close_ int fd = -1;
	char text[VF_STR];

	for (unsigned i = 0; i < r->n; i++)
		json_array_append_new(vfs, json_string(vf_text(&r->vfs[i], text)));
	doc = json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:b, s:O}",
		"nic",
		r->nic,
		"pf",
		r->pf,
		"lease",
		r->lease,
		"boot-id",
		r->boot_id,
		"made",
		(int)r->made,
		"autoprobe",
		r->autoprobe,
		"vfs",
		vfs
	);
	if (doc == NULL || json_array_size(vfs) != r->n)
		return err_oom(err);
	if (mkdirat(l->fs.root, dir + 1, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make directory '%s'", dir);
	fd = open_dir(l, dir);
	if (fd < 0)
		return err_sys(err, errno, "open directory '%s'", dir);
	return files_write(fd, r->nic, doc, str_eq(dir, VFS_KEPT), err);
}

static int take(
	const json_t *doc, const char *what, const char *key, char *to, size_t room, struct err *err
)
{
	const char *s = NULL;

	if (jread_str(doc, what, key, true, &s, err) < 0)
		return -err->code;
	// these become file names
	if (strlen(s) >= room || strchr(s, '/') != NULL || s[0] == '.')
		return err_set(err, EINVAL, "read %s: '%s' is no name", what, key);
	strcpy(to, s);
	return 0;
}

static int take_vfs(const json_t *doc, const char *what, struct vf_record *r, struct err *err)
{
	json_t *list = NULL, *e;
	size_t i;

	if (jread_array(doc, what, "vfs", &list, err) < 0)
		return -err->code;
	json_array_foreach (list, i, e) {
		const char *s = json_string_value(e);

		if (s == NULL || r->n == VFS_MAX)
			return err_set(err, EINVAL, "read %s: 'vfs' are no VFs", what);
		if (vf_parse(s, &r->vfs[r->n++], err) < 0)
			return err_wrap(err, "read %s", what);
	}
	return 0;
}

static int read_record(
	const struct ledger *l,
	const char *dir,
	const char *nic,
	struct vf_record *ret,
	struct err *err
)
{
	static const char *const keys[] = {
		"nic", "pf", "lease", "boot-id", "made", "autoprobe", "vfs", NULL};
	_cleanup_close_ int fd = open_dir(l, dir);
	_cleanup_json_ json_t *doc = NULL;
	uint64_t made = 0;
	char what[64];

	snprintf(what, sizeof(what), "VFs of '%s'", nic);
	*ret = (struct vf_record){0};
	if (files_read(fd, nic, "VFs of", &doc, err) < 0)
		return -err->code;
	if (jread_keys(doc, what, keys, err) < 0
	    || take(doc, what, "nic", ret->nic, sizeof(ret->nic), err) < 0
	    || take(doc, what, "pf", ret->pf, sizeof(ret->pf), err) < 0
	    || take(doc, what, "lease", ret->lease, sizeof(ret->lease), err) < 0
	    || take(doc, what, "boot-id", ret->boot_id, sizeof(ret->boot_id), err) < 0
	    || jread_u64(doc, what, "made", true, VFS_MAX, &made, err) < 0
	    || jread_bool(doc, what, "autoprobe", &ret->autoprobe, err) < 0
	    || take_vfs(doc, what, ret, err) < 0)
		return -err->code;
	if (!str_eq(ret->nic, nic))
		return err_set(err, EINVAL, "read %s: it is of NIC '%s'", what, ret->nic);
	ret->made = (unsigned)made;
	return 0;
}

int vf_record_read(
	const struct ledger *l,
	const char *dir,
	const char *nic,
	struct vf_record *ret,
	struct err *err
)
{
	int r = read_record(l, dir, nic, ret, err);

	return r < 0 && r != -ENOENT
		       ? err_wrap(err, "use '%s/%s.json' (mend or remove it)", dir, nic)
		       : r;
}

int vf_record_remove(const struct ledger *l, const char *dir, const char *nic, struct err *err)
{
	_cleanup_close_ int fd = open_dir(l, dir);

	if (fd >= 0 && files_remove(fd, nic, err) < 0)
		return -err->code;
	vf_record_sweep(l, dir);
	return 0;
}

void vf_record_sweep(const struct ledger *l, const char *dir)
{
	unlinkat(l->fs.root, dir + 1, AT_REMOVEDIR); // where it is empty
}

int vf_record_each(
	const struct ledger *l, const char *dir, vf_record_fn fn, void *arg, struct err *err
)
{
	_cleanup_free_ struct vf_record *record = malloc(sizeof(*record));
	_cleanup_close_ int fd = open_dir(l, dir);
	_cleanup_names_ struct names names = {0};
	struct err first = {0};
	int r;

	if (record == NULL)
		return err_oom(err);
	if (l->lock >= 0)
		files_sweep(fd);
	if (files_names(fd, &names, err) < 0)
		return -err->code;
	for (size_t i = 0; i < names.n; i++) {
		r = vf_record_read(l, dir, names.list[i], record, err);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			err_keep(&first, err);
		if (r == 0 && (r = fn(record, arg, err)) != 0)
			return r;
	}
	return err_first(&first, err);
}

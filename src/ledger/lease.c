// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Leases: grants in use, one file each below /run/pinfold/leases.

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "ledger/files.h"
#include "ledger/ledger.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LEASE_FORMAT 1

static const char *const again_words[] = {
	[LEASE_ONCE] = "once",
	[LEASE_AGAIN] = "again",
	[LEASE_STOPPED] = "stopped",
	[LEASE_WAITING] = "waiting",
};

int lease_note(struct lease *lease, const char *what, const char *path, struct err *err)
{
	struct undo *u = &lease->undo[lease->nundo];

	if (lease->nundo == LEASE_NOTES || strlen(path) >= sizeof(u->path))
		return err_set(err, E2BIG, "lease '%s': too much to undo", lease->grant.name);
	snprintf(u->what, sizeof(u->what), "%s", what);
	strcpy(u->path, path);
	lease->nundo++;
	return 0;
}

bool lease_notes(const struct lease *lease, const char *what, const char *path)
{
	for (unsigned i = 0; i < lease->nundo; i++) {
		if (str_eq(lease->undo[i].what, what) && str_eq(lease->undo[i].path, path))
			return true;
	}
	return false;
}

json_t *lease_to_json(const struct lease *lease)
{
	json_t *undo = json_array(), *links = json_object(), *doc;

	for (unsigned i = 0; i < lease->nundo; i++)
		json_array_append_new(
			undo,
			json_pack(
				"{s:s, s:s}",
				"what",
				lease->undo[i].what,
				"path",
				lease->undo[i].path
			)
		);
	for (unsigned i = 0; i < lease->grant.nlinks; i++)
		json_object_set_new(
			links, lease->grant.links[i].name, json_integer(lease->grant.links[i].gid)
		);
	doc = json_pack(
		"{s:i, s:o, s:s, s:b, s:b, s:b, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:i, s:I, "
		"s:s, s:s*, s:o, "
		"s:o}",
		"format",
		LEASE_FORMAT,
		"grant",
		grant_to_json(&lease->grant),
		"place",
		lease->site.name,
		"defined",
		lease->defined,
		"detached",
		lease->detached,
		"draining",
		lease->draining,
		"boot-id",
		lease->boot_id,
		"cgroup",
		lease->cgroup,
		"runtime",
		lease->site.runtime.path,
		"runc",
		lease->site.runtime.kind == &runtime_runc,
		"uid-base",
		(json_int_t)lease->uid_base,
		"uid",
		(json_int_t)lease->uid,
		"gid",
		(json_int_t)lease->gid,
		"started",
		(json_int_t)lease->started,
		"supervisor",
		lease->supervisor,
		"supervisor-start",
		(json_int_t)lease->supervisor_start,
		"command",
		lease->command,
		"accel",
		lease->accel[0] != '\0' ? lease->accel : NULL,
		"link-groups",
		links,
		"undo",
		undo
	);
	if (lease->image[0] != '\0') {
		json_object_set_new(doc, "image", json_string(lease->image));
		json_object_set_new(
			doc, "image-device", json_integer((json_int_t)lease->image_dev)
		);
		json_object_set_new(doc, "image-inode", json_integer((json_int_t)lease->image_ino));
	}
	if (lease->again != LEASE_ONCE)
		json_object_set_new(doc, "restart", json_string(again_words[lease->again]));
	if (change_is_one(&lease->updating))
		json_object_set_new(
			doc,
			"updating",
			json_pack(
				"{s:I, s:I}",
				"memory",
				(json_int_t)lease->updating.memory,
				"pids",
				(json_int_t)lease->updating.pids
			)
		);
	return doc;
}

static int undo_from_json(const json_t *doc, const char *what, struct lease *lease, struct err *err)
{
	static const char *const keys[] = {"what", "path", NULL};
	json_t *list = NULL, *e;
	size_t i;

	if (jread_array(doc, what, "undo", &list, err) < 0)
		return -err->code;
	json_array_foreach (list, i, e) {
		const char *kind = NULL, *path = NULL;

		if (jread_keys(e, what, keys, err) < 0
		    || jread_str(e, what, "what", true, &kind, err) < 0
		    || jread_str(e, what, "path", true, &path, err) < 0
		    || lease_note(lease, kind, path, err) < 0)
			return -err->code;
	}
	return 0;
}

// One group for each link of the grant, by the link's name.
static int groups_from_json(const json_t *doc, const char *what, struct grant *g, struct err *err)
{
	const json_t *groups = json_object_get(doc, "link-groups");
	const char *names[GRANT_LINKS + 1] = {NULL};

	for (unsigned i = 0; i < g->nlinks; i++) {
		uint64_t gid = 0;

		names[i] = g->links[i].name;
		if (jread_u64(groups, what, names[i], true, UINT32_MAX, &gid, err) < 0)
			return -err->code;
		g->links[i].gid = (uint32_t)gid;
	}
	return jread_keys(groups, what, names, err);
}

static int again_from_json(
	const json_t *doc, const char *what, enum lease_again *ret, struct err *err
)
{
	const char *word = again_words[LEASE_ONCE];

	if (jread_str(doc, what, "restart", false, &word, err) < 0)
		return -err->code;
	for (size_t i = 0; i < ARRAY_LEN(again_words); i++) {
		if (!str_eq(again_words[i], word))
			continue;
		*ret = (enum lease_again)i;
		return 0;
	}
	return err_set(
		err, EINVAL, "read %s: 'restart' is none of once, again, stopped and waiting", what
	);
}

static int updating_from_json(
	const json_t *doc, const char *what, struct grant_change *ret, struct err *err
)
{
	static const char *const keys[] = {"memory", "pids", NULL};
	const json_t *u = json_object_get(doc, "updating");
	struct grant_change c = {0};

	if (u == NULL)
		return 0;
	if (jread_keys(u, what, keys, err) < 0
	    || jread_u64(u, what, "memory", true, INT64_MAX, &c.memory, err) < 0
	    || jread_u64(u, what, "pids", true, INT64_MAX, &c.pids, err) < 0)
		return -err->code;
	*ret = c;
	return 0;
}

int lease_from_json(const json_t *doc, const char *what, struct lease *ret, struct err *err)
{
	static const char *const keys[] = {
		"format",	"grant",       "place",
		"defined",	"detached",    "draining",
		"restart",	"updating",    "boot-id",
		"cgroup",	"runtime",     "runc",
		"uid-base",	"uid",	       "gid",
		"started",	"supervisor",  "supervisor-start",
		"command",	"accel",       "image",
		"image-device", "image-inode", "link-groups",
		"undo",		NULL,
	};
	struct lease lease = {0};
	uint64_t format, base = 0, uid = 0, gid = 0, started = 0, supervisor = 0, since = 0;
	const json_t *grant = json_object_get(doc, "grant");
	char place[16], runtime[sizeof(lease.site.runtime.path)];
	bool runc = false;

	if (jread_keys(doc, what, keys, err) < 0
	    || jread_u64(doc, what, "format", true, LEASE_FORMAT, &format, err) < 0
	    || grant_from_json(grant, what, &lease.grant, err) < 0
	    || jread_text(doc, what, "place", true, place, sizeof(place), err) < 0
	    || jread_bool(doc, what, "defined", &lease.defined, err) < 0
	    || jread_bool(doc, what, "detached", &lease.detached, err) < 0
	    || jread_bool(doc, what, "draining", &lease.draining, err) < 0
	    || again_from_json(doc, what, &lease.again, err) < 0
	    || updating_from_json(doc, what, &lease.updating, err) < 0
	    || jread_bool(doc, what, "runc", &runc, err) < 0
	    || jread_text(doc, what, "boot-id", true, lease.boot_id, sizeof(lease.boot_id), err) < 0
	    || jread_text(doc, what, "cgroup", true, lease.cgroup, sizeof(lease.cgroup), err) < 0
	    || jread_text(doc, what, "runtime", true, runtime, sizeof(runtime), err) < 0
	    || jread_u64(doc, what, "uid-base", true, UINT32_MAX, &base, err) < 0
	    || jread_u64(doc, what, "uid", false, IDS_PER_LEASE - 1, &uid, err) < 0
	    || jread_u64(doc, what, "gid", false, IDS_PER_LEASE - 1, &gid, err) < 0
	    || jread_u64(doc, what, "started", true, INT64_MAX, &started, err) < 0
	    || jread_u64(doc, what, "supervisor", true, INT32_MAX, &supervisor, err) < 0
	    || jread_u64(doc, what, "supervisor-start", false, INT64_MAX, &since, err) < 0
	    || jread_text(doc, what, "command", true, lease.command, sizeof(lease.command), err) < 0
	    || jread_text(doc, what, "accel", false, lease.accel, sizeof(lease.accel), err) < 0
	    || jread_text(doc, what, "image", false, lease.image, sizeof(lease.image), err) < 0
	    || jread_u64(doc, what, "image-device", false, INT64_MAX, &lease.image_dev, err) < 0
	    || jread_u64(doc, what, "image-inode", false, INT64_MAX, &lease.image_ino, err) < 0
	    || undo_from_json(doc, what, &lease, err) < 0)
		return -err->code;
	if (format != LEASE_FORMAT)
		return err_set(err, EINVAL, "read %s: 'format' is not %d", what, LEASE_FORMAT);
	if (site_named(place, &lease.site) < 0)
		return err_set(
			err,
			EINVAL,
			"read %s: place '%s' is none of container, vm, engine, given, host and "
			"keeper",
			what,
			place
		);
	if (groups_from_json(doc, what, &lease.grant, err) < 0)
		return -err->code;
	if (runtime[0] != '\0' || site_has(&lease.site, SITE_CONTAINER | SITE_SPEC))
		runtime_assume(&lease.site.runtime, runc ? &runtime_runc : &runtime_crun, runtime);
	lease.uid_base = (uint32_t)base;
	lease.uid = (uint32_t)uid;
	lease.gid = (uint32_t)gid;
	lease.started = (int64_t)started;
	lease.supervisor = (int)supervisor;
	lease.supervisor_start = since;
	*ret = lease;
	return 0;
}

int lease_write(const struct ledger *l, const struct lease *lease, struct err *err)
{
	_cleanup_json_ json_t *doc = lease_to_json(lease);

	return files_write(l->leases, lease->grant.name, doc, false, err);
}

int lease_read(const struct ledger *l, const char *name, struct lease *ret, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	struct lease lease;
	int r;

	if (name_check("a grant", name, err) < 0)
		return lease_exists(l, name)
			       ? err_wrap(err, "use '" RUN_DIR "/leases/%s.json' (remove it)", name)
			       : -err->code;
	r = files_read(l->leases, name, "lease", &doc, err);
	if (r == -ENOENT)
		return r;
	if (r == 0)
		r = lease_from_json(doc, "lease", &lease, err);
	if (r == 0 && !str_eq(lease.grant.name, name))
		r = err_set(err, EINVAL, "it says its name is '%s'", lease.grant.name);
	if (r < 0)
		return err_wrap(
			err,
			"use '" RUN_DIR "/leases/%s.json' (end its programs, then: pinfold gc)",
			name
		);
	*ret = lease;
	return 0;
}

int lease_remove(const struct ledger *l, const char *name, struct err *err)
{
	return files_remove(l->leases, name, err);
}

bool lease_exists(const struct ledger *l, const char *name)
{
	return files_exists(l->leases, name);
}

int lease_each(const struct ledger *l, lease_fn fn, void *arg, struct err *err)
{
	_cleanup_names_ struct names names = {0};
	struct err unreadable = {0}, e;
	int r = files_names(l->leases, &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct lease lease;

		if (lease_read(l, names.list[i], &lease, &e) == 0)
			r = fn(&lease, arg, err);
		else if (e.code != ENOENT) // gone since
			err_keep(&unreadable, &e);
	}
	return r == 0 ? err_first(&unreadable, err) : r;
}

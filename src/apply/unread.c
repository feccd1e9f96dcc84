// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The end of a lease whose file cannot be understood. Its name tells what it has for certain, and what nobody else has
// tells the rest: links, and NICs on UIO.

#include "apply/apply.h"

#include "base/event_log.h"
#include "base/scope.h"
#include "host/hostfs.h"
#include "host/uio.h"
#include "ledger/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DEVICES "sys/bus/pci/devices"

int leases_other(
	const struct ledger *l,
	const char *except,
	bool unread,
	bool (*has)(const struct lease *lease, const void *what),
	const void *what,
	struct err *err
)
{
	_cleanup_names_ struct names names = {0};

	if (files_names(l->leases, &names, err) < 0)
		return -err->code;
	for (size_t i = 0; i < names.n; i++) {
		struct err unused;
		struct lease other;
		int r;

		if (str_eq(names.list[i], except))
			continue;
		r = lease_read(l, names.list[i], &other, &unused);
		if ((r == 0 && has(&other, what)) || (r < 0 && r != -ENOENT && unread))
			return 1;
	}
	return 0;
}

static int end_links(const struct ledger *l, const char *name, struct err *err)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(l->fs.root, LINKS_DIR + 1);
	const char *link;

	while (d != NULL && (link = hostfs_next(d)) != NULL) {
		_cleanup_free_ char *path = str_printf(LINKS_DIR "/%s", link);

		if (path == NULL)
			return err_oom(err);
		if (link_end(l, name, path, true, err) < 0)
			return -err->code;
	}
	return 0;
}

static bool has_id(const struct lease *lease, const void *what)
{
	return *(const uint32_t *)what - lease->uid_base < IDS_PER_LEASE;
}

// The program was the owner of its files.
int uio_return_unread(const struct ledger *l, const char *name, struct err *err)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(l->fs.root, DEVICES);
	_cleanup_free_ struct grant *g = calloc(1, sizeof(*g));
	const char *bdf;

	if (g == NULL)
		return err_oom(err);
	while (d != NULL && g->nnics < GRANT_NICS && (bdf = hostfs_next(d)) != NULL) {
		struct grant_nic *nic = &g->nics[g->nnics];
		struct stat st;
		int other;

		for (unsigned i = 0; !nic->uio && host_uio_files[i] != NULL; i++) {
			_cleanup_free_ char *path = str_printf("%s/%s", bdf, host_uio_files[i]);

			nic->uio = path != NULL && fstatat(dirfd(d), path, &st, 0) == 0
				   && ids_pooled(st.st_uid);
		}
		if (!nic->uio)
			continue;
		other = leases_other(l, name, true, has_id, &st.st_uid, err);
		if (other < 0)
			return other;
		nic->uio = other == 0;
		snprintf(nic->bdf, sizeof(nic->bdf), "%s", bdf);
		g->nnics += other == 0;
	}
	return uio_return(l, g, err);
}

// When no process is left in its cgroups these go, and the file with them. Else the error stays.
int gc_unread(struct ledger *l, const char *name, unsigned *count, struct err *err)
{
	_cleanup_free_ char *cgroup = str_printf("pinfold/%s", name);
	_cleanup_free_ char *partition = str_printf("pinfold-%s", name);
	_cleanup_free_ char *state = str_printf(RUN_DIR "/runtime/%s", name);
	_cleanup_free_ char *netdevs = str_printf(PLAN_NETDEVS "/%s", name);
	_cleanup_free_ char *published = str_printf(PUBLISH_DIR "/%s", name);
	char hierarchy[sizeof(((struct lease *)0)->cgroup)];
	struct err why = *err;

	if (cgroup == NULL || partition == NULL || state == NULL || netdevs == NULL
	    || published == NULL)
		return err_oom(err);
	if (name_check("a lease", name, err) < 0
	    || cgroup_hierarchy(&l->fs, hierarchy, sizeof(hierarchy), err) < 0
	    || cgroup_populated(&l->fs, hierarchy, cgroup)
	    || cgroup_populated(&l->fs, hierarchy, partition)) {
		*err = why;
		return -err->code;
	}
	if (cgroup_remove(&l->fs, hierarchy, cgroup, err) < 0
	    || cgroup_remove(&l->fs, hierarchy, partition, err) < 0
	    || netdevs_return(l, netdevs, err) < 0 || publish_end(published, err) < 0
	    || owner_return_unread(name, err) < 0 || end_links(l, name, err) < 0
	    || uio_return_unread(l, name, err) < 0 || undo_tree(state, err) < 0
	    || lease_remove(l, name, err) < 0)
		return -err->code;
	event_log("'%s' was cleaned up, though: %s", name, why.msg);
	(*count)++;
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Taking back what a lease notes, and the collection of leases that nobody uses.

#include "apply/apply.h"

#include "base/debug.h"
#include "base/dir.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "base/scope.h"
#include "ledger/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

int undo_tree(const char *path, struct err *err)
{
	_cleanup_free_ char *parent = strdup(path);
	_cleanup_close_ int fd = -1;
	char *slash = parent != NULL ? strrchr(parent, '/') : NULL;

	// only below our own directory, whatever a lease file says
	if (slash == NULL || !str_starts(path, RUN_DIR "/") || strstr(path, "/../") != NULL)
		return err_set(err, EINVAL, "undo '%s': not below " RUN_DIR, path);
	if (str_eq(slash, "/") || str_eq(slash, "/.") || str_eq(slash, "/.."))
		return err_set(err, EINVAL, "undo '%s': no name", path);
	*slash = '\0';
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "undo '%s'", path);
	return fs_remove_tree(fd, slash + 1, err);
}

// One that is draining does not look at it any more; one that waits gets another at its next start.
static bool has_link(const struct lease *lease, const void *name)
{
	if (lease->draining || lease->again == LEASE_WAITING)
		return false;
	for (unsigned i = 0; i < lease->grant.nlinks; i++) {
		if (str_eq(lease->grant.links[i].name, name))
			return true;
	}
	return false;
}

int link_end(
	const struct ledger *l, const char *except, const char *path, bool unread, struct err *err
)
{
	const char *name = strrchr(path, '/');
	int used = leases_other(l, except, unread, has_link, name != NULL ? name + 1 : path, err);

	if (used != 0)
		return used < 0 ? used : 0;
	// EINVAL, ENOENT: it is none, or gone
	if (str_starts(path, LINKS_DIR "/") && name == path + strlen(LINKS_DIR)
	    && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL
	    && errno != ENOENT)
		return err_sys(err, errno, "unmount link '%s'", path);
	return undo_tree(path, err);
}

// One of that name that is here after a reboot is somebody else's.
static int undo_cgroup(
	const struct ledger *l, const struct lease *lease, const char *path, struct err *err
)
{
	char hierarchy[sizeof(lease->cgroup)];

	if (!lease_of_this_boot(l, lease))
		return 0;
	if (lease_hierarchy(lease, hierarchy, sizeof(hierarchy)) < 0)
		return err_set(err, EINVAL, "undo '%s': the lease has no cgroup", path);
	return cgroup_remove(&l->fs, hierarchy, path, err);
}

int undo_lease(
	const struct ledger *l, const struct lease *lease, enum undo_part part, struct err *err
)
{
	struct err first = {0};

	for (unsigned i = lease->nundo; i-- > 0;) {
		const struct undo *u = &lease->undo[i];
		bool cgroup = str_eq(u->what, "cgroup");
		int64_t begun = debug_time();
		int r;

		if (cgroup != (part == UNDO_CGROUPS))
			continue;
		if (cgroup)
			r = undo_cgroup(l, lease, u->path, err);
		else if (str_eq(u->what, "tree"))
			r = undo_tree(u->path, err);
		else if (str_eq(u->what, "link"))
			// one that cannot be read keeps it from nobody: what it has mounted of it stays
			r = link_end(l, lease->grant.name, u->path, false, err);
		else if (str_eq(u->what, "publish"))
			r = publish_end(u->path, err);
		else if (str_eq(u->what, OWNER_NOTE))
			r = owner_return(lease, u->path, err);
		else if (str_eq(u->what, "netdevs"))
			r = netdevs_return(l, u->path, err);
		else if (str_eq(u->what, "hugetlbfs"))
			r = 0; // with its last file: hugetlbfs_pinned.c
		else
			r = err_set(err, EINVAL, "undo '%s': unknown to this version", u->what);
		debug_step(begun, "undo", u->what, u->path, r, err);
		// go on: what can be taken back is taken back
		if (r < 0)
			err_keep(&first, err);
	}
	return err_first(&first, err);
}

static int gc_one(struct ledger *l, const struct lease *lease, unsigned *count, struct err *err)
{
	int r = lease_life(l, lease, err);
	struct offline unsaid;

	// who watches its CPUs may have been killed; of a keeper the lease does not tell
	if (r > 0 && (!site_has(&lease->site, SITE_SUPERVISOR) || !lease_supervised(l, lease)))
		offline_enforce(&l->fs, lease, &unsaid);
	if (r > 0 && change_is_one(&lease->updating) && change_take_back(l, lease, err) < 0)
		return err_wrap(err, "clean up after '%s'", lease->grant.name);
	// its supervisor takes it back, and knows whether it is started again
	if (r > 0
	    || (r == 0 && (lease->again == LEASE_AGAIN || lease->again == LEASE_STOPPED)
		&& !lease->draining && lease->supervisor != (int)getpid()
		&& lease_supervised(l, lease)))
		return 0;
	if (r == 0)
		lease_note_unseen(
			l,
			lease,
			lease_of_this_boot(l, lease) ? "nobody saw its end: its supervisor was gone"
						     : "it ended with the machine's boot"
		);
	if (r == 0)
		r = lease_end(l, lease, NULL, err);
	if (r < 0)
		err_wrap(err, "clean up after '%s'", lease->grant.name);
	if (r < 0 || r == LEASE_KEEPS_NIC) {
		if (l->fs.real)
			event_log("%s", err->msg);
		return -err->code;
	}
	if (r != LEASE_DRAINS) {
		(*count)++;
		if (l->fs.real)
			event_log(
				"'%s' was cleaned up: nobody watched it any more", lease->grant.name
			);
	}
	return 0;
}

// True if a process has this stream socket. It is not told: who connects with another type is refused
// with EPROTOTYPE, or ECONNREFUSED where nobody is, whatever the network namespace (unix(7)).
static bool has_listener(const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (fd < 0 || strlen(path) >= sizeof(to.sun_path))
		return true;
	strcpy(to.sun_path, path);
	return connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 || errno != ECONNREFUSED;
}

// Of pinfold seccomp record: its listener removes it, if it is not killed. No lease has it.
static void sweep_recorders(int run)
{
	_cleanup_closedir_ DIR *d = run >= 0 ? dir_open(run, ".", 0) : NULL;
	struct dirent *e;

	while ((e = dir_next(d)) != NULL) {
		_cleanup_free_ char *path = str_printf(RUN_DIR "/%s", e->d_name);

		if (path != NULL && str_starts(path, RECORD_SOCKET) && !has_listener(path))
			unlinkat(run, e->d_name, 0);
	}
}

// Of engines' containers whose lease could not be read, or was written by nobody who went on.
static void sweep_engines(const struct ledger *l, int run)
{
	const char *name = strrchr(ENGINES_DIR, '/') + 1;
	_cleanup_closedir_ DIR *d = run >= 0 ? dir_open(run, name, O_NOFOLLOW) : NULL;
	struct dirent *e;

	while ((e = dir_next(d)) != NULL) {
		_cleanup_free_ char *lease = NULL;

		if (fs_read_system(dirfd(d), e->d_name, 4096, &lease, NULL) == 0
		    && !lease_exists(l, lease))
			unlinkat(dirfd(d), e->d_name, 0);
	}
}

int gc_leases(struct ledger *l, unsigned *ret_count, struct err *err)
{
	_cleanup_names_ struct names names = {0};
	struct err first = {0};
	unsigned count = 0;

	// the leases of a copied tree say nothing about the processes and files of this machine
	if (l->fs.real && files_names(l->leases, &names, err) < 0)
		return -err->code;
	for (size_t i = 0; i < names.n; i++) {
		struct lease lease;
		int r = lease_read(l, names.list[i], &lease, err);

		if (r == -ENOENT)
			continue;
		r = r == 0 ? gc_one(l, &lease, &count, err)
			   : gc_unread(l, names.list[i], &count, err);
		// go on: one that resists must not keep the others
		if (r < 0)
			err_keep(&first, err);
	}
	if (l->fs.real) {
		_cleanup_close_ int run =
			fs_open_in(l->fs.root, RUN_DIR, O_RDONLY | O_DIRECTORY, 0);

		if (netdevs_sweep(l, err) < 0)
			err_keep(&first, err);
		if (nics_collect(l, err) < 0)
			err_keep(&first, err);
		if (definitions_cancel(l, err) < 0)
			err_keep(&first, err);
		files_sweep(run);
		sweep_recorders(run);
		sweep_engines(l, run);
		files_sweep(l->leases);
		files_sweep(l->defs);
	}
	if (ret_count != NULL)
		*ret_count = count;
	return err_first(&first, err);
}

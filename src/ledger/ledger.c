// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The directories, the lock, and the sum of all that is held.

#include "ledger/ledger.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_SECONDS 20

// Opens, and makes if wanted, a directory below the root. Only its owner and root may change it.
static int open_dir(
	const struct hostfs *fs,
	const char *parent,
	const char *path,
	bool make,
	int *ret,
	struct err *err
)
{
	int fd;

	// 0711: a container's user must pass through /run/pinfold to what is bound into it
	if (make && fs->real) {
		_cleanup_close_ int top = fs_mkdirs(parent, 0711, err);
		struct stat st;

		if (top < 0)
			return top;
		// a umask of 077 must not take that away
		if (fstat(top, &st) < 0
		    || ((st.st_mode & 0111) != 0111 && fchmod(top, (st.st_mode & 07777) | 0111) < 0
		    ))
			return err_sys(err, errno, "give '%s' its mode", parent);
	}
	if (make && mkdirat(fs->root, path + 1, 0700) < 0 && errno != EEXIST) {
		if (errno != ENOENT || fs->real)
			return err_sys(err, errno, "make directory '%s'", path);
		if (mkdirat(fs->root, parent + 1, 0711) < 0
		    || mkdirat(fs->root, path + 1, 0700) < 0)
			return err_sys(err, errno, "make directory '%s'", path);
	}
	fd = fs_open_in(fs->root, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno == EACCES)
		return err_set(err, EACCES, "open directory '%s': this needs root; use sudo", path);
	if (fd < 0 && (make || errno != ENOENT))
		return err_sys(err, errno, "open directory '%s'", path);
	*ret = fd;
	return 0;
}

int ledger_open(const struct hostfs *fs, bool write, struct ledger *ret, struct err *err)
{
	struct ledger l = {.fs = *fs, .defs = -1, .leases = -1, .lock = -1, .writable = write};

	if (open_dir(fs, ETC_DIR, ETC_DIR "/grants.d", write, &l.defs, err) < 0
	    || open_dir(fs, RUN_DIR, RUN_DIR "/leases", write, &l.leases, err) < 0) {
		ledger_close(&l);
		return -err->code;
	}
	*ret = l;
	return 0;
}

void ledger_close(struct ledger *l)
{
	ledger_unlock(l);
	scope_close(&l->defs);
	scope_close(&l->leases);
	l->defs = l->leases = -1;
}

int ledger_lock_file(const struct ledger *l, const char *path, int *ret, struct err *err)
{
	_cleanup_close_ int fd = fs_open_in(l->fs.root, path, O_RDWR | O_CREAT, 0600);
	char who[32] = "";

	if (fd < 0)
		return err_sys(err, errno, "open lock '%s'", path);
	// flock has no time limit of its own
	for (unsigned i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "lock '%s'", path);
		if (i >= LOCK_SECONDS * 200) {
			if (pread(fd, who, sizeof(who) - 1, 0) < 0)
				who[0] = '\0';
			return err_set(
				err,
				EBUSY,
				"lock '%s': held for over %d s by process %s; look what it does",
				path,
				LOCK_SECONDS,
				who
			);
		}
		nap_ms(5);
	}
	snprintf(who, sizeof(who), "%d\n", (int)getpid());
	// for people only: with /run full it must still be possible to clean up
	if (pwrite(fd, who, strlen(who), 0) < 0 || ftruncate(fd, (off_t)strlen(who)) < 0)
		errno = 0;
	*ret = steal_fd(&fd);
	return 0;
}

int ledger_lock(struct ledger *l, struct err *err)
{
	// held for milliseconds, longer where modules are loaded
	return ledger_lock_file(l, RUN_DIR "/lock", &l->lock, err);
}

void ledger_unlock(struct ledger *l)
{
	scope_close(&l->lock);
	l->lock = -1;
}

void ledger_unlock_all(struct ledger *l)
{
	if (l->lock >= 0)
		flock(l->lock, LOCK_UN);
	ledger_unlock(l);
}

struct collect {
	const struct ledger *ledger;
	const char *except;
	bool full; // memory ran out
	struct holdings holdings;
};

static int add_lease(const struct lease *lease, void *arg, struct err *err)
{
	struct collect *c = arg;
	struct grant g = lease->grant;

	if (c->except != NULL && str_eq(g.name, c->except))
		return 0;
	// nothing of it computes any more; a definition has its CPUs set apart in any case
	if (lease->draining && !lease->defined)
		g.cpus = g.shared_cpus = (struct idset){0};
	return holdings_add(&c->holdings, &g, true, err);
}

static int add_definition(const struct grant *g, void *arg, struct err *err)
{
	struct collect *c = arg;

	if ((c->except != NULL && str_eq(g->name, c->except)) || lease_exists(c->ledger, g->name))
		return 0;
	c->full = holdings_add(&c->holdings, g, false, err) < 0;
	return c->full ? -err->code : 0;
}

int ledger_holdings(
	const struct ledger *l, const char *except, struct holdings *ret, struct err *err
)
{
	struct collect c = {.ledger = l, .except = except};

	if (lease_each(l, add_lease, &c, err) < 0
	    || (definition_each(l, add_definition, &c, err) < 0 && (except == NULL || c.full))) {
		holdings_done(&c.holdings);
		return -err->code;
	}
	*ret = c.holdings;
	return 0;
}

int ledger_free_name(const struct ledger *l, char ret[NAME_MAX_LEN + 1], struct err *err)
{
	struct grant unused;
	struct err e;

	for (unsigned i = 1; i < 100000; i++) {
		char name[NAME_MAX_LEN + 1];

		snprintf(name, sizeof(name), "vnf-%u", i);
		if (!lease_exists(l, name) && definition_read(l, name, &unused, &e) == -ENOENT) {
			strcpy(ret, name);
			return 0;
		}
	}
	return err_set(err, EBUSY, "no free name vnf-N; say --name");
}

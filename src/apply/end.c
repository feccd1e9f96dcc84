// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The end of a lease. It is over when its cgroup is charged for nothing any more and nobody has a NIC of it,
// not when its processes are: all that may have been passed on, to whoever is on a link of it. Until they are given
// back the lease is draining: it keeps its name, memory, hugepages, devices and ids. Only its CPUs are
// free, since nothing of it computes.

#include "apply/apply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KILL_MILLISECONDS 5000
// Mounts and their files go a moment after the last process that saw them. The ledger is locked.
#define SETTLE_MILLISECONDS 10

struct peers {
	const struct ledger *l;
	const struct lease *of;
	char *names;
	size_t len;
};

static int add_peer(const struct lease *lease, void *arg, struct err *err)
{
	struct peers *p = arg;
	char name[NAME_MAX_LEN + 3];
	bool linked = false;

	(void)err;
	for (unsigned i = 0; i < lease->grant.nlinks; i++) {
		for (unsigned k = 0; k < p->of->grant.nlinks; k++)
			linked = linked
				 || str_eq(lease->grant.links[i].name, p->of->grant.links[k].name);
	}
	snprintf(name, sizeof(name), "'%s'", lease->grant.name);
	if (linked && !str_eq(lease->grant.name, p->of->grant.name)
	    && strstr(p->names, name) == NULL && lease_in_use(p->l, lease))
		str_add(p->names, p->len, ", ", "%s", name);
	return 0;
}

// Always an error: who may have what.
static int refuse(
	const struct ledger *l,
	const struct lease *lease,
	const struct charges *left,
	struct err *err
)
{
	char names[512] = "", amount[CHARGES_STR];
	struct peers p = {.l = l, .of = lease, .names = names, .len = sizeof(names)};
	struct err unused;

	nics_users(l, &lease->grant, left->nics, names, sizeof(names));
	// of memory nobody tells who has it
	if (names[0] == '\0' || left->memory > 0 || left->hugepages > 0)
		lease_each(l, add_peer, &p, &unused);
	return err_set(
		err,
		EBUSY,
		"'%s' has ended and is draining: %s that it passed on is still used; stop %s, "
		"then: "
		"pinfold gc",
		lease->grant.name,
		charges_text(left, &lease->grant, amount),
		names[0] != '\0' ? names : "the program outside that has it"
	);
}

int lease_drains(const struct ledger *l, const struct lease *lease, struct err *err)
{
	struct charges left = {0};

	if (!lease->draining)
		return 0;
	if (cgroup_charges(&l->fs, lease, &left, err) < 0)
		return -err->code;
	if (!charges_any(&left))
		return err_set(
			err, EBUSY, "'%s' has ended; take it back: pinfold gc", lease->grant.name
		);
	return refuse(l, lease, &left, err);
}

// ---- the end

void lease_note_unseen(const struct ledger *l, const struct lease *lease, const char *why)
{
	const struct hits none = {0};
	struct hits hits;
	char note[HITS_LINE];
	const char *limit = "";

	// that of one which drains or waits was noted when it began to; those of others are told by who started them
	if (!l->fs.real || lease->draining || lease->again == LEASE_WAITING
	    || !site_has(&lease->site, SITE_SUPERVISOR))
		return;
	note[0] = '\0';
	if (lease_of_this_boot(l, lease)) {
		hits_read(&l->fs, lease, &hits);
		limit = hits_text(&hits, &none, &lease->grant, -1, note);
	}
	ended_note(l, lease, -1, limit, note[0] != '\0' ? note : why);
}

static int begin_draining(const struct ledger *l, const struct lease *lease, struct err *err)
{
	struct lease draining = *lease;

	if (lease->draining)
		return 0;
	cgroup_free_cpus(&l->fs, lease);
	draining.draining = true;
	return lease_write(l, &draining, err);
}

// What an engine gave it may have given others too, and who has it then cannot be told.
static bool returns_uio(const struct lease *lease)
{
	return lease->site.place != PLACE_GIVEN;
}

static int take_back(const struct ledger *l, const struct lease *lease, struct err *err)
{
	bool current = lease_of_this_boot(l, lease);
	struct charges left = {0};
	struct err first = {0}, unused;

	if (current && cgroup_kill(l, lease, true, KILL_MILLISECONDS, err) < 0)
		return -err->code;
	// before its memory is others', also where it drains; what fails is told when it is done again below
	if (returns_uio(lease) && current)
		uio_stop(l, &lease->grant, &unused);
	if (change_take_back_definition(l, lease, err) < 0)
		return -err->code;
	// first what may hold memory itself: files in the directory of a link
	if (undo_lease(l, lease, UNDO_FILES, err) < 0)
		first = *err;
	if (current
	    && cgroup_settle(&l->fs, lease, lease->draining ? 0 : SETTLE_MILLISECONDS, &left, err)
		       < 0)
		return -err->code;
	if (charges_any(&left)) {
		if (begin_draining(l, lease, err) < 0)
			return -err->code;
		refuse(l, lease, &left, err);
		return LEASE_DRAINS;
	}
	if (undo_lease(l, lease, UNDO_CGROUPS, err) < 0)
		return -err->code;
	if (first.code != 0) { // all the rest has been taken back
		*err = first;
		return -err->code;
	}
	// one that drains was tried for long enough
	if (!current
	    || ((!returns_uio(lease) || uio_return(l, &lease->grant, &first) == 0)
		&& nics_return(l, &lease->grant, lease->draining ? 0 : VFS_RESET_MS, &first) == 0))
		return 0;
	// nobody else is to have them as they are, and what computes may
	if (begin_draining(l, lease, err) < 0)
		return -err->code;
	*err = first;
	err_wrap(err, "'%s' has ended, and keeps a NIC", lease->grant.name);
	return LEASE_KEEPS_NIC;
}

int lease_end(const struct ledger *l, const struct lease *lease, bool *waits, struct err *err)
{
	const bool wanted = waits != NULL && *waits;
	struct lease now;
	int r = lease_read(l, lease->grant.name, &now, err);

	if (waits != NULL)
		*waits = false; // until that is on disk
	// taken back already, and what has its name by now is another's
	if (r == -ENOENT || (r == 0 && !lease_same_run(lease, &now)))
		return 0;
	if (r == 0)
		r = take_back(l, &now, err);
	if (r != 0)
		return r;
	if (!wanted || now.again != LEASE_AGAIN)
		return lease_remove(l, now.grant.name, err);
	// who looks meanwhile finds one or the other, and never none
	now.again = LEASE_WAITING;
	now.nundo = 0;
	r = lease_write(l, &now, err);
	*waits = r == 0;
	return r;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs taken from their drivers and given back. What is to be given back is on disk before the first step.

#include "apply/apply.h"
#include "apply/nic_persist.h"

#include "base/scope.h"
#include "host/hostfs.h"
#include "host/nic.h"
#include "host/vfio.h"
#include "plan/nic.h"

#include <stdio.h>
#include <string.h>

static int carry_out(struct plan *p, const char *bdf, struct err *err)
{
	int r = p->failed ? err_oom(err) : apply_steps(p, STEP_HOST, err);

	plan_done(p);
	return r < 0 ? err_wrap(err, "NIC %s", bdf) : 0;
}

// What it is now, of that alone which a plan asks for. False: it has gone.
static bool look_at(const struct hostfs *fs, const char *bdf, struct host_pci *ret)
{
	uint64_t number;
	char path[64];
	bool noiommu;

	*ret = (struct host_pci){.iommu_group = -1};
	snprintf(ret->bdf, sizeof(ret->bdf), "%s", bdf);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver", bdf);
	if (hostfs_link_name(fs->root, path, ret->driver, sizeof(ret->driver)) < 0)
		ret->driver[0] = '\0';
	ret->iommu_group = host_vfio_group_of(fs, bdf, &noiommu);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/sriov_numvfs", bdf);
	if (hostfs_u64(fs->root, path, &number) == 0 && number <= UINT16_MAX)
		ret->numvfs = (unsigned)number;
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", bdf);
	return faccessat(fs->root, path, F_OK, 0) == 0;
}

// Such a group is in no grant.
static int check_noiommu(const struct ledger *l, const struct host_pci *p, struct err *err)
{
	int r = host_vfio_noiommu_in_use(&l->fs, p->iommu_group, err);

	if (r <= 0)
		return r;
	return err_set(
		err,
		EBUSY,
		"NIC %s: a program of the host has it open (/dev/vfio/noiommu-%d); end that first",
		p->bdf,
		p->iommu_group
	);
}

// The kernel waits in "unbind" for whoever has the group open, or that of a VF: it must not be tried. From under who has one
// on UIO it goes, and leaves him its registers.
static int check_unused(
	const struct ledger *l, const struct host_pci *p, const char *driver, struct err *err
)
{
	struct grant g = {.nnics = 1};
	bool uio = host_nic_uio(p->driver), noiommu;

	if (!str_eq(p->driver, driver))
		return 0;
	if (host_nic_check_vfs(p, err) < 0)
		return -err->code;
	if (!uio && (!str_eq(driver, "vfio-pci") || p->iommu_group < 0))
		return 0;
	if (!uio && host_vfio_group_of(&l->fs, p->bdf, &noiommu) >= 0 && noiommu)
		return check_noiommu(l, p, err);
	strcpy(g.nics[0].bdf, p->bdf);
	g.nics[0].uio = uio;
	g.nics[0].iommu_group = p->iommu_group;
	return nics_check_free(l, &g, err);
}

int nic_return(const struct ledger *l, const struct binding *b, struct err *err)
{
	struct binding going = *b;
	struct plan p = {0};
	struct host_pci now;
	struct err failed;
	int r;

	if (!look_at(&l->fs, b->bdf, &now))
		return binding_remove(l, b->bdf, err);
	if (check_unused(l, &now, b->driver, err) < 0)
		return -err->code;
	going.kept = false;
	if (b->kept && binding_write(l, &going, err) < 0)
		return -err->code;
	plan_nic_return(&p, &now, b);
	r = carry_out(&p, b->bdf, &failed);
	// unplugged meanwhile, or taken by its driver, that being loaded, before it was its turn
	if (r < 0 && look_at(&l->fs, b->bdf, &now) && !str_eq(now.driver, b->former)) {
		*err = failed;
		return r;
	}
	return binding_remove(l, b->bdf, err);
}

// b: with whom, for which lease and so on; how it was and what it is now are filled in. 1: it is bound so already.
static int bind_one(
	const struct ledger *l,
	const struct host *host,
	const struct host_pci *nic,
	const char *driver,
	bool noiommu,
	struct binding b,
	struct err *err
)
{
	struct binding before;
	struct plan p = {0};
	struct host_nic details;
	struct host_pci now;
	struct err failed, unused;
	struct netdev_holder holder;

	// the host may have been read before a collection gave it back
	if (!look_at(&l->fs, nic->bdf, &now))
		return err_set(err, ENODEV, "NIC %s does not exist any more", nic->bdf);
	host_nic_look(&l->fs, nic, &details);
	if (str_eq(now.driver, driver))
		return 1;
	if (check_unused(l, &now, now.driver, err) < 0)
		return -err->code;
	if (netdevs_holder(l, nic->bdf, &holder))
		return err_set(
			err,
			EBUSY,
			"NIC %s is in use: netdev '%s' of '%s'; stop that first",
			nic->bdf,
			holder.netdev,
			holder.lease
		);
	snprintf(b.bdf, sizeof(b.bdf), "%s", nic->bdf);
	snprintf(b.driver, sizeof(b.driver), "%s", driver);
	snprintf(b.former, sizeof(b.former), "%s", now.driver);
	b.probe = b.probe && now.driver[0] == '\0';
	snprintf(b.former_override, sizeof(b.former_override), "%s", details.override);
	snprintf(b.boot_id, sizeof(b.boot_id), "%s", host->boot_id);
	// from one driver for programs to another: what is given back at last is the first
	if (binding_read(l, nic->bdf, &before, err) == 0 && str_eq(before.driver, now.driver)) {
		strcpy(b.former, before.former);
		strcpy(b.former_override, before.former_override);
		b.probe = before.probe;
	}
	if (binding_write(l, &b, err) < 0)
		return -err->code;
	plan_nic_bind(&p, &now, driver, noiommu);
	if (carry_out(&p, nic->bdf, &failed) < 0) {
		// its module took it when it was loaded: an override was there already
		look_at(&l->fs, nic->bdf, &now);
		if (!str_eq(now.driver, driver)) {
			nic_return(l, &b, &unused);
			*err = failed;
			return -err->code;
		}
	}
	return 0;
}

static int keep(const struct ledger *l, const char *bdf, struct err *err)
{
	struct binding b;

	if (binding_read(l, bdf, &b, err) < 0)
		return -err->code;
	b.kept = true;
	b.with[0] = '\0';
	return binding_write(l, &b, err);
}

int nic_bind(
	const struct ledger *l,
	const struct host *host,
	const struct host_pci *nic,
	const char *driver,
	const char *lease,
	bool noiommu,
	struct err *err
)
{
	struct binding b = {0};
	int r;

	snprintf(b.lease, sizeof(b.lease), "%s", lease);
	r = bind_one(l, host, nic, driver, noiommu, b, err);
	return r != 0 ? (r > 0 ? 0 : r) : keep(l, nic->bdf, err);
}

// The first n of the wish, of which some were bound before.
static void give_back(const struct ledger *l, const struct nic_wish *w, uint64_t fresh, unsigned n)
{
	struct binding b;
	struct err unused;

	while (n-- > 0) {
		if ((fresh >> n & 1) != 0 && binding_read(l, w->nics[n]->bdf, &b, &unused) == 0)
			nic_return(l, &b, &unused);
	}
}

static int persist(const struct nic_wish *w, int first, struct err *err)
{
	const char *bdfs[GRANT_NICS];

	for (unsigned i = 0; i < w->n; i++)
		bdfs[i] = w->nics[i]->bdf;
	if (nic_notes_begin(bdfs, w->n, first >= 0 ? bdfs[first] : "", err) < 0)
		return -err->code;
	for (unsigned i = 0; i < w->n; i++) {
		struct nic_persist how = {
			.force = (w->forced >> i & 1) != 0, .unsafe_noiommu = w->unsafe_noiommu};

		if (nic_persist(bdfs[i], w->driver, how, err) < 0)
			return -err->code;
	}
	return 0;
}

int nics_bind(
	const struct ledger *l,
	const struct host *host,
	const struct nic_wish *w,
	bool persists,
	struct err *err
)
{
	uint64_t fresh = 0; // a bit for each
	struct err unused;
	int first = -1, r = 0;
	unsigned i;

	for (i = 0; r >= 0 && i < w->n; i++) {
		struct binding b = {.probe = w->early};

		if (first >= 0)
			strcpy(b.with, w->nics[first]->bdf);
		r = bind_one(l, host, w->nics[i], w->driver, w->unsafe_noiommu, b, err);
		if (r == 0)
			fresh |= UINT64_C(1) << i;
		if (r == 0 && first < 0)
			first = (int)i;
	}
	if (r >= 0 && persists)
		r = persist(w, first, err);
	// with the record of the first all of it is done, with that of the notes where none was to be bound
	if (r >= 0 && first >= 0)
		r = keep(l, w->nics[first]->bdf, err);
	else if (r >= 0 && persists)
		r = nic_notes_done(l, err);
	if (r < 0) {
		give_back(l, w, fresh, i);
		nic_notes_undo(l, &unused);
		binding_sweep(l);
		return r;
	}
	// what fails from here on is mended by the next collection
	if (persists)
		nic_notes_done(l, &unused);
	for (i = (unsigned)first + 1; first >= 0 && i < w->n; i++) {
		if ((fresh >> i & 1) != 0)
			keep(l, w->nics[i]->bdf, &unused);
	}
	return 0;
}

// ---- what was left

struct collection {
	struct ledger *l;
	const char *boot_id;
	struct err first;
};

// By a command that was killed when all of them were bound.
static bool is_done(const struct ledger *l, const struct binding *b)
{
	struct binding first;
	struct err unused;

	return !b->kept && b->with[0] != '\0' && binding_read(l, b->with, &first, &unused) == 0
	       && first.kept && str_eq(first.driver, b->driver)
	       && str_eq(first.boot_id, b->boot_id);
}

// Goes on: one that resists must not keep the others.
static int collect_one(const struct binding *b, void *arg, struct err *err)
{
	struct collection *c = arg;
	struct host_pci now;
	bool there = look_at(&c->l->fs, b->bdf, &now);
	int r = 0;

	// of another boot, pulled out, or bound by somebody else since: it is none of ours any more
	if (!str_eq(b->boot_id, c->boot_id)
	    || (b->kept && (!there || !str_eq(now.driver, b->driver))))
		r = binding_remove(c->l, b->bdf, err);
	else if (is_done(c->l, b))
		r = keep(c->l, b->bdf, err);
	else if (!b->kept || (b->lease[0] != '\0' && !lease_exists(c->l, b->lease)))
		r = nic_return(c->l, b, err);
	if (r < 0)
		err_keep(&c->first, err);
	return 0;
}

int nics_collect(struct ledger *l, struct err *err)
{
	char boot_id[HOST_BOOT_ID];
	struct collection c = {.l = l, .boot_id = boot_id};

	hostfs_boot_id(l->fs.root, boot_id);
	if (boot_id[0] == '\0')
		return 0;
	if (vfs_collect(l, err) < 0)
		c.first = *err;
	if (nic_notes_undo(l, err) < 0)
		err_keep(&c.first, err);
	if (binding_each(l, collect_one, &c, err) < 0)
		return -err->code;
	binding_sweep(l);
	return err_first(&c.first, err);
}

// What it has by its own names: a record of another that cannot be read is none of its business.
int nics_return(
	const struct ledger *l, const struct grant *g, unsigned milliseconds, struct err *err
)
{
	struct err first = {0};
	struct binding b;

	// first, so that its driver finds it as it was
	if (vfs_return(l, g, milliseconds, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < g->nnics; i++) {
		int r = binding_read(l, g->nics[i].bdf, &b, err);

		if (r == 0 && str_eq(b.lease, g->name))
			r = nic_return(l, &b, err);
		if (r < 0 && r != -ENOENT)
			err_keep(&first, err);
	}
	return err_first(&first, err);
}

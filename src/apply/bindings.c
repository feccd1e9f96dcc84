// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs taken from their drivers and given back. What is to be given back is on disk before the first step.

#include "apply/apply.h"

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
	char path[64], group[16];
	uint64_t number;

	*ret = (struct host_pci){.iommu_group = -1};
	snprintf(ret->bdf, sizeof(ret->bdf), "%s", bdf);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver", bdf);
	if (hostfs_link_name(fs->root, path, ret->driver, sizeof(ret->driver)) < 0)
		ret->driver[0] = '\0';
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/iommu_group", bdf);
	if (hostfs_link_name(fs->root, path, group, sizeof(group)) == 0
	    && host_parse_u64(group, 10, "", &number) == 0 && number <= INT32_MAX)
		ret->iommu_group = (int)number;
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/sriov_numvfs", bdf);
	if (hostfs_u64(fs->root, path, &number) == 0 && number <= UINT16_MAX)
		ret->numvfs = (unsigned)number;
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", bdf);
	return faccessat(fs->root, path, F_OK, 0) == 0;
}

// The kernel waits in "unbind" for whoever has the group open, or that of a VF: it must not be tried. From under who has one
// on UIO it goes, and leaves him its registers.
static int check_unused(
	const struct ledger *l, const struct host_pci *p, const char *driver, struct err *err
)
{
	struct grant g = {.nnics = 1};
	bool uio = host_nic_uio(p->driver);

	if (!str_eq(p->driver, driver))
		return 0;
	if (host_nic_check_vfs(p, err) < 0)
		return -err->code;
	if (!uio && (!str_eq(driver, "vfio-pci") || p->iommu_group < 0))
		return 0;
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
	struct binding b = {0}, before;
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
		return 0;
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
	snprintf(b.former_override, sizeof(b.former_override), "%s", details.override);
	snprintf(b.lease, sizeof(b.lease), "%s", lease);
	snprintf(b.boot_id, sizeof(b.boot_id), "%s", host->boot_id);
	// from one driver for programs to another: what is given back at last is the first
	if (binding_read(l, nic->bdf, &before, err) == 0 && str_eq(before.driver, now.driver)) {
		strcpy(b.former, before.former);
		strcpy(b.former_override, before.former_override);
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
	b.kept = true;
	return binding_write(l, &b, err);
}

// ---- what was left

struct collection {
	struct ledger *l;
	const char *boot_id;
	struct err first;
};

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
	else if (!b->kept || (b->lease[0] != '\0' && !lease_exists(c->l, b->lease)))
		r = nic_return(c->l, b, err);
	if (r < 0 && c->first.code == 0)
		c->first = *err;
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
	if (binding_each(l, collect_one, &c, err) < 0)
		return -err->code;
	binding_sweep(l);
	if (c.first.code != 0)
		*err = c.first;
	return -c.first.code;
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
		if (r < 0 && r != -ENOENT && first.code == 0)
			first = *err;
	}
	if (first.code != 0)
		*err = first;
	return -first.code;
}

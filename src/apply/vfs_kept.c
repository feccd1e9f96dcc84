// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a lease may have changed of its VFs, or somebody of them meanwhile: on disk before it has them, and put back.

#include "apply/apply.h"

#include "apply/vf.h"
#include "base/clock.h"
#include "base/scope.h"
#include "host/nic.h"
#include "ledger/vf_record.h"

#include <stdio.h>
#include <string.h>

#define RESET_TICK_MS 20

struct place {
	const char *bdf;
	unsigned wanted;
	int number;
};

static int is_it(unsigned number, const char *bdf, void *arg, struct err *)
{
	struct place *p = arg;

	if (p->bdf != NULL ? str_eq(bdf, p->bdf) : number == p->wanted)
		p->number = (int)number;
	return 0;
}

// -1: it is none of that PF (any more). bdf: NULL, the one with that number is meant.
static int number_of(const struct hostfs *fs, const char *pf, const char *bdf, unsigned wanted)
{
	struct place p = {bdf, wanted, -1};
	struct err unused;

	vf_each(fs, pf, is_it, &p, &unused);
	return p.number;
}

// Of a PF whose driver tells of others, or told of it before. One that has just been closed is in reset: until that is over
// drivers refuse to tell and to set.
static int look_at(
	const struct hostfs *fs,
	const char *pf,
	unsigned number,
	struct vf_list *list,
	struct err *err
)
{
	if (vf_look(fs, pf, list, err) < 0)
		return -err->code;
	if (vf_find(list, number) == NULL)
		return err_set(
			err, EAGAIN, "NIC %s: its driver tells nothing of VF %u", pf, number
		);
	return 0;
}

// What may be otherwise in a moment.
static bool again(int r, int64_t limit)
{
	if ((r != -EAGAIN && r != -EBUSY) || clock_ms() >= limit)
		return false;
	nap_ms(RESET_TICK_MS);
	return true;
}

static int put_back_one(
	const struct ledger *l,
	const struct vf_record *r,
	const struct vf *was,
	struct vf_list *list,
	int64_t limit,
	struct err *err
)
{
	char text[VF_STR];
	int f;

	do {
		// it was taken away meanwhile
		if (number_of(&l->fs, r->pf, NULL, was->number) < 0)
			return 0;
		f = look_at(&l->fs, r->pf, was->number, list, err);
		if (f == 0)
			f = vf_set(list, was, err);
	} while (again(f, limit));
	if (f == 0)
		return 0;
	return err_wrap(err, "VF %s of %s", vf_text(was, text), r->pf);
}

// Goes on: one that resists must not keep the others.
int vfs_put_back(const struct ledger *l, const struct vf_record *r, int64_t limit, struct err *err)
{
	_cleanup_free_ struct vf_list *list = malloc(sizeof(*list));
	struct err first = {0};

	if (list == NULL)
		return err_oom(err);
	for (unsigned i = 0; i < r->n; i++) {
		if (put_back_one(l, r, &r->vfs[i], list, limit, err) < 0 && first.code == 0)
			first = *err;
	}
	if (first.code == 0)
		return 0;
	return err_set(
		err,
		first.code,
		"NIC %s is not what it was, %s; set it so, or remove '" VFS_DIR
		"/%s.json' to leave it as it is, then: pinfold gc",
		r->nic,
		first.msg,
		r->nic
	);
}

// ---- VFs of a lease

// Nothing of the host's can tell or set what a program's PF does with its VFs.
static bool is_of_a_program(const struct host_pci *pf)
{
	return pf->netdev[0] == '\0'
	       && (host_nic_for_programs(pf->driver) || host_pci_harmless(pf)
		   || str_eq(pf->driver, "pci-pf-stub"));
}

// 0: the driver tells of none at all, so that nothing can be put back.
static int look_for_record(
	const struct ledger *l,
	const struct host_pci *nic,
	struct vf_list *list,
	struct vf *ret,
	struct err *err
)
{
	int number = number_of(&l->fs, nic->physfn, nic->bdf, 0), r;
	int64_t limit = clock_ms() + VFS_RESET_MS;

	if (number < 0)
		return err_set(
			err, ENODEV, "NIC %s is no VF of %s any more", nic->bdf, nic->physfn
		);
	do
		r = look_at(&l->fs, nic->physfn, (unsigned)number, list, err);
	while (again(r, limit));
	if (r == -EAGAIN && list->n == 0)
		return 0;
	if (r < 0)
		return err_wrap(
			err, "NIC %s is a VF, and what it is set to is not known", nic->bdf
		);
	*ret = *vf_find(list, (unsigned)number);
	return 1;
}

// What it is now would be taken for what it was, and another's end would change it while it is used.
static int check_settled(
	const struct ledger *l, const struct host_pci *nic, struct vf_record *left, struct err *err
)
{
	const char *const names[] = {nic->bdf, nic->physfn};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int r = vf_record_read(l, VFS_DIR, names[i], left, err);

		if (r < 0 && r != -ENOENT)
			return r;
		// those that were being made stay as they are once somebody has one
		if (r == 0 && left->made == 0)
			return err_set(
				err,
				EBUSY,
				"NIC %s is not what it was before %s had it; see: pinfold gc",
				nic->bdf,
				left->lease[0] != '\0' ? left->lease : "nic vfs"
			);
	}
	return 0;
}

static int keep_one(
	const struct ledger *l,
	const struct host *host,
	const struct host_pci *nic,
	const char *lease,
	struct vf_list *list,
	struct err *err
)
{
	_cleanup_free_ struct vf_record *r = calloc(1, sizeof(*r));
	const struct host_pci *pf = host_pci(host, nic->physfn);
	int f;

	if (r == NULL)
		return err_oom(err);
	if (check_settled(l, nic, r, err) < 0)
		return -err->code;
	if (pf != NULL && is_of_a_program(pf))
		return 0;
	*r = (struct vf_record){.n = 1};
	f = look_for_record(l, nic, list, &r->vfs[0], err);
	if (f <= 0)
		return f;
	strcpy(r->nic, nic->bdf);
	strcpy(r->pf, nic->physfn);
	snprintf(r->lease, sizeof(r->lease), "%s", lease);
	snprintf(r->boot_id, sizeof(r->boot_id), "%s", host->boot_id);
	return vf_record_write(l, VFS_DIR, r, err);
}

int vfs_keep(
	const struct ledger *l, const struct host *host, const struct grant *g, struct err *err
)
{
	_cleanup_free_ struct vf_list *list = NULL;

	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *nic = host_pci(host, g->nics[i].bdf);

		if (nic == NULL || nic->physfn[0] == '\0')
			continue;
		if (list == NULL)
			list = malloc(sizeof(*list));
		if (list == NULL)
			return err_oom(err);
		if (keep_one(l, host, nic, g->name, list, err) < 0)
			return -err->code;
	}
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a lease may have changed of its VFs, or somebody of them meanwhile: on disk before it has them, and put back.

#include "apply/apply.h"

#include "apply/vf.h"
#include "base/clock.h"
#include "base/event_log.h"
#include "base/scope.h"
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
		if (put_back_one(l, r, &r->vfs[i], list, limit, err) < 0)
			err_keep(&first, err);
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

struct keeping {
	const struct ledger *l;
	const struct host *host;
	const struct grant *grant;
	struct vf_list *list;
	int64_t limit;
};

// 0: its driver tells of none, ever, so that nothing can be put back.
static int look_for_record(
	const struct keeping *k, const struct host_pci *nic, struct vf *ret, struct err *err
)
{
	int number = number_of(&k->l->fs, nic->physfn, nic->bdf, 0), r;

	if (number < 0)
		return err_set(
			err, ENODEV, "NIC %s is no VF of %s any more", nic->bdf, nic->physfn
		);
	// of more than pinfold makes
	if (number >= VFS_MAX)
		return 0;
	do
		r = look_at(&k->l->fs, nic->physfn, (unsigned)number, k->list, err);
	while (!k->list->none && again(r, k->limit));
	if (r == -EAGAIN && k->list->none)
		return 0;
	if (r < 0)
		return err_wrap(
			err, "NIC %s is a VF, and what it is set to is not known", nic->bdf
		);
	*ret = *vf_find(k->list, (unsigned)number);
	return 1;
}

// What it is now would be taken for what it was, and another's end would change it while it is used. 1: it was noted for
// this lease already, before a start that failed; what it was is what that says.
static int check_settled(
	const struct keeping *k, const struct host_pci *nic, struct vf_record *left, struct err *err
)
{
	const char *const names[] = {nic->bdf, nic->physfn};
	int own = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int r = vf_record_read(k->l, VFS_DIR, names[i], left, err);

		if (r < 0 && r != -ENOENT)
			return r;
		// those that were being made stay as they are once somebody has one
		if (r < 0 || left->made > 0)
			continue;
		if (!str_eq(left->lease, k->grant->name) || !str_eq(left->pf, nic->physfn))
			return err_set(
				err,
				EBUSY,
				"NIC %s: what it was before %s had it is not put back yet; see: "
				"pinfold gc",
				nic->bdf,
				left->lease[0] != '\0' ? left->lease : "nic vfs"
			);
		own = 1;
	}
	return own;
}

// 1: *ret is to be written.
static int look_one(
	const struct keeping *k, const struct host_pci *nic, struct vf_record *ret, struct err *err
)
{
	int r = check_settled(k, nic, ret, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!vf_has_settings(&k->l->fs, k->host, nic))
		return 0;
	*ret = (struct vf_record){.n = 1};
	strcpy(ret->nic, nic->bdf);
	strcpy(ret->pf, nic->physfn);
	strcpy(ret->lease, k->grant->name);
	snprintf(ret->boot_id, sizeof(ret->boot_id), "%s", k->host->boot_id);
	return look_for_record(k, nic, &ret->vfs[0], err);
}

int vfs_keep(
	const struct ledger *l,
	const struct host *host,
	const struct grant *g,
	bool given,
	struct err *err
)
{
	_cleanup_free_ struct vf_record *record = malloc(sizeof(*record));
	_cleanup_free_ struct vf_list *list = malloc(sizeof(*list));
	struct keeping k = {l, host, g, list, clock_ms() + VFS_RESET_MS};

	if (record == NULL || list == NULL)
		return err_oom(err);
	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *nic = host_pci(host, g->nics[i].bdf);
		int r = 0;

		if (nic != NULL && nic->physfn[0] != '\0')
			r = look_one(&k, nic, record, err);
		if (r > 0)
			r = vf_record_write(l, VFS_DIR, record, err);
		else if (r < 0 && given) {
			if (l->fs.real)
				event_log("'%s': %s", g->name, err->msg);
			r = 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

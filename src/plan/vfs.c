// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// sriov_numvfs and sriov_drivers_autoprobe: Documentation/ABI/testing/sysfs-bus-pci of the kernel. A number other than
// none is taken only by a PF that has none.

#include "plan/vfs.h"

#include "base/scope.h"
#include "grant/nic_use.h"
#include "host/nic.h"
#include "plan/make.h"
#include "plan/nic.h"

#include <string.h>

#define DEVICE "/sys/bus/pci/devices/%s"

// ---- what is refused

static int check_pf(const struct vfs_wish *w, struct err *err)
{
	const struct host_pci *p = w->pf;

	if (nic_check_class(p, err) < 0)
		return -err->code;
	if (p->physfn[0] != '\0')
		return err_set(
			err, EINVAL, "NIC %s is a VF itself; its PF is %s", p->bdf, p->physfn
		);
	if (p->totalvfs == 0)
		return err_set(
			err,
			EOPNOTSUPP,
			"NIC %s has no VFs (SR-IOV): it has none, or the firmware has it turned "
			"off",
			p->bdf
		);
	if (w->count > p->totalvfs)
		return err_set(
			err,
			ERANGE,
			"NIC %s: %u VFs are wanted, and it has at most %u",
			p->bdf,
			w->count,
			p->totalvfs
		);
	// one that has made some takes them away
	if (w->count > 0 && (p->driver[0] == '\0' || host_nic_for_programs(p->driver)))
		return err_set(
			err,
			EBUSY,
			"NIC %s is bound to %s, which makes no VFs; give it to its own driver: "
			"pinfold nic unbind %s",
			p->bdf,
			p->driver[0] != '\0' ? p->driver : "no driver",
			p->bdf
		);
	return nic_check_lent(p, "NIC", err);
}

static int check_settings(const struct vfs_wish *w, struct err *err)
{
	if (w->n > 0 && w->pf->netdev[0] == '\0')
		return err_set(
			err,
			ENODEV,
			"NIC %s has no network interface, over which its VFs would be set",
			w->pf->bdf
		);
	return 0;
}

// Whether a VF that goes, or gets other settings, is anybody's.
static int check_vf(
	const struct vfs_wish *w,
	const struct host_pci *vf,
	const struct holdings *others,
	struct err *err
)
{
	const struct holding *had = nic_holder(others, vf->bdf);
	bool spared = w->count == 0 && !w->force;

	if (nic_check_idle(vf, "VF", others, err) < 0)
		return -err->code;
	if (spared && had != NULL)
		return err_set(
			err,
			EBUSY,
			"VF %s is granted to '%s'; pinfold grant remove %s first, or say --force",
			vf->bdf,
			had->grant.name,
			had->grant.name
		);
	if (nic_check_lent(vf, "VF", err) < 0)
		return -err->code;
	return spared ? nic_check_use(vf, "VF", "take it from there first, or say --force", err)
		      : 0;
}

int vfs_check(
	const struct vfs_wish *w,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	if (check_pf(w, err) < 0 || check_settings(w, err) < 0)
		return -err->code;
	if (w->count != w->pf->numvfs && w->pf->numvfs > 0 && w->count > 0)
		return err_set(
			err,
			EBUSY,
			"NIC %s has %u VFs, and the kernel makes another number only of none: "
			"pinfold nic vfs %s 0 first",
			w->pf->bdf,
			w->pf->numvfs,
			w->pf->bdf
		);
	if (w->count > 0 && w->n == 0)
		return 0;
	for (unsigned i = 0; i < host->npci; i++) {
		if (str_eq(host->pci[i].physfn, w->pf->bdf)
		    && check_vf(w, &host->pci[i], others, err) < 0)
			return -err->code;
	}
	return 0;
}

// ---- VFs of a grant

struct place {
	struct plan *plan;
	const struct host_pci *nic;
};

static int note(unsigned number, const char *bdf, void *arg, struct err *)
{
	struct place *p = arg;
	bool back = vf_has_settings(p->plan->fs, p->plan->host, p->nic) && number < VFS_MAX;

	if (str_eq(bdf, p->nic->bdf))
		plan_note(
			p->plan,
			"NIC %s is VF %u of %s%s",
			bdf,
			number,
			p->nic->physfn,
			back ? ": its MAC address, VLAN, trust and spoof check are put back at "
			       "the end, of these what the PF's driver tells"
			     : ", and is left as it is at the end: nothing of the host's can put "
			       "back what it is set to"
		);
	return 0;
}

void plan_vfs_notes(struct plan *p)
{
	struct err unused;

	for (unsigned i = 0; i < p->lease.grant.nnics; i++) {
		struct place place = {p, host_pci(p->host, p->lease.grant.nics[i].bdf)};

		if (place.nic != NULL && place.nic->physfn[0] != '\0')
			vf_each(p->fs, place.nic->physfn, note, &place, &unused);
	}
}

// ---- steps

static void set(struct plan *p, const struct vfs_wish *w, const char *file, const char *value)
{
	plan_step(
		p, STEP_SET, STEP_HOST, str_printf(DEVICE "/%s", w->pf->bdf, file), strdup(value)
	);
}

void plan_vfs(struct plan *p, const struct vfs_wish *w, bool autoprobe)
{
	bool make = w->count != w->pf->numvfs;
	// a driver reads the address when it begins
	bool wait = make && w->n > 0 && autoprobe;
	char number[16], text[VF_STR];

	snprintf(number, sizeof(number), "%u", w->count);
	if (wait)
		set(p, w, "sriov_drivers_autoprobe", "0");
	if (make)
		set(p, w, "sriov_numvfs", number);
	for (unsigned i = 0; i < w->n; i++)
		plan_step(
			p,
			STEP_VF,
			STEP_HOST,
			str_printf(DEVICE, w->pf->bdf),
			strdup(vf_text(&w->set[i], text))
		);
	if (!wait)
		return;
	set(p, w, "sriov_drivers_autoprobe", "1");
	plan_step(p, STEP_PROBE, STEP_HOST, str_printf(DEVICE, w->pf->bdf), NULL);
}

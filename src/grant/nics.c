// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs: those that fit what a request says of them, and whether a grant can have its own.

#include "grant/choose.h"

#include "base/scope.h"
#include "grant/nic_use.h"
#include "host/nic.h"

#include <linux/capability.h>
#include <string.h>

bool nic_granted(const struct terms *t, const char *bdf)
{
	for (unsigned i = 0; i < t->nnics; i++) {
		if (str_eq(t->nics[i].bdf, bdf))
			return true;
	}
	return false;
}

bool grant_has_uio(const struct grant *g)
{
	for (unsigned i = 0; i < g->nnics; i++) {
		if (g->nics[i].uio)
			return true;
	}
	return false;
}

bool grant_has_bifurcated(const struct grant *g)
{
	for (unsigned i = 0; i < g->nnics; i++) {
		if (g->nics[i].bifurcated)
			return true;
	}
	return false;
}

// ---- what may be chosen

static bool fits(const struct nic_select *s, const struct host_pci *p)
{
	return (s->driver[0] == '\0' || str_eq(s->driver, p->driver[0] != '\0' ? p->driver : "none")
	       )
	       && (s->vendor == 0 || s->vendor == p->vendor)
	       && (s->device == 0 || s->device == p->device)
	       && (!s->on_node || (int)s->node == p->node)
	       && (s->pf[0] == '\0' || str_eq(s->pf, p->physfn));
}

// An interface of the function that is not among those, nor the one beside. NULL: there is none.
static const struct host_netdev *left_out(
	const struct terms *t, const struct host *host, const struct host_pci *p, const char *beside
)
{
	for (const struct host_netdev *n = host->netdevs; n < host->netdevs + host->nnetdevs; n++) {
		bool has = !netdev_is_of(n, p) || str_eq(n->name, beside);

		for (unsigned i = 0; i < t->nnetdevs && !has; i++)
			has = str_eq(t->netdevs[i].name, n->name);
		if (!has)
			return n;
	}
	return NULL;
}

// Whether nobody would miss it, and it can be had. One whose functions work for others is left alone.
static bool is_free(
	const struct terms *t,
	const struct grant_nic *want,
	const struct host *host,
	const struct host_pci *p
)
{
	bool ready = str_eq(p->driver, "vfio-pci");

	if (!host_pci_is_nic(p) || p->default_route || p->addressed || p->upper[0] != '\0'
	    || p->numvfs > 0)
		return false;
	// who says the driver knows what that is
	if (host_nic_bifurcated(p->driver))
		return !want->bind && str_eq(want->select.driver, p->driver) && p->netdev[0] != '\0'
		       && p->lent[0] == '\0' && left_out(t, host, p, p->netdev) == NULL;
	return p->iommu_group >= 0 && (ready || (want->bind && p->lent[0] == '\0'));
}

static int choose_some(
	struct terms *t,
	const struct grant_nic *want,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	unsigned left = want->select.count;

	// those first that need not be taken from a driver
	for (unsigned bound = 2; bound-- > 0 && left > 0;) {
		for (unsigned i = 0; i < host->npci && left > 0; i++) {
			const struct host_pci *p = &host->pci[i];
			struct grant_nic *nic = &t->nics[t->nnics];

			if (str_eq(p->driver, "vfio-pci") != (bound == 1) || !fits(&want->select, p)
			    || !is_free(t, want, host, p) || nic_granted(t, p->bdf)
			    || nic_holder(others, p->bdf) != NULL)
				continue;
			if (t->nnics == GRANT_NICS)
				return err_set(err, E2BIG, "NICs: more than %d", GRANT_NICS);
			*nic = (struct grant_nic){.bind = want->bind};
			strcpy(nic->bdf, p->bdf);
			t->nnics++;
			left--;
		}
	}
	if (left == 0)
		return 0;
	return err_set(
		err,
		EBUSY,
		"NIC '%s': %u wanted, %u %s free%s; see pinfold nic list",
		want->select.text,
		want->select.count,
		want->select.count - left,
		want->select.count - left == 1 ? "is" : "are",
		want->bind ? "" : " and bound to vfio-pci (say ,bind to have them bound)"
	);
}

// The address of one that is named by its interface.
static int find_named(
	const struct terms *t, struct grant_nic *nic, const struct host *host, struct err *err
)
{
	const struct host_pci *p = host_nic_called(host, nic->select.netdev);

	if (p == NULL)
		return err_set(
			err,
			ENODEV,
			"NIC '%s': no interface of a NIC is called that (one that is bound to "
			"vfio-pci has none: name its address); see pinfold nic list",
			nic->select.netdev
		);
	if (nic_granted(t, p->bdf))
		return err_set(err, EINVAL, "NIC '%s' is asked for twice", p->bdf);
	strcpy(nic->bdf, p->bdf);
	return 0;
}

// The interface of one whose kernel driver stays goes with it, unless it was asked for already; and the packets that a
// program's own queues send are of its own making.
static int take_interface(struct terms *t, const struct host_pci *p, struct err *err)
{
	struct grant_netdev *n = NULL;

	t->caps |= UINT64_C(1) << CAP_NET_RAW;
	if (strlen(p->netdev) >= sizeof(n->name))
		return err_set(err, EINVAL, "netdev '%s': its name is too long", p->netdev);
	for (unsigned i = 0; i < t->nnetdevs && n == NULL; i++) {
		if (str_eq(t->netdevs[i].name, p->netdev))
			n = &t->netdevs[i];
	}
	if (n == NULL && p->netdev[0] != '\0') { // else check_bifurcated says it
		if (t->nnetdevs == GRANT_NETDEVS)
			return err_set(err, E2BIG, "netdevs: more than %d", GRANT_NETDEVS);
		n = &t->netdevs[t->nnetdevs++];
		*n = (struct grant_netdev){0};
		strcpy(n->name, p->netdev);
		strcpy(n->inside, p->netdev);
	}
	if (n != NULL)
		n->rdma = true;
	return 0;
}

int choose_nics(
	struct terms *t, const struct host *host, const struct holdings *others, struct err *err
)
{
	struct grant_nic asked[GRANT_NICS];
	unsigned n = t->nnics;

	for (unsigned i = 0; i < n; i++) {
		if (t->nics[i].select.netdev[0] != '\0'
		    && find_named(t, &t->nics[i], host, err) < 0)
			return -err->code;
	}
	memcpy(asked, t->nics, n * sizeof(asked[0]));
	t->nnics = 0;
	// the named ones first: none of them is chosen for another
	for (unsigned named = 2; named-- > 0;) {
		for (unsigned i = 0; i < n; i++) {
			if ((asked[i].bdf[0] != '\0') != (named == 1))
				continue;
			if (named == 0 && choose_some(t, &asked[i], host, others, err) < 0)
				return -err->code;
			if (named == 1)
				t->nics[t->nnics++] = asked[i];
		}
	}
	for (unsigned i = 0; i < t->nnics; i++) {
		const struct host_pci *p = host_pci(host, t->nics[i].bdf);
		struct grant_nic *nic = &t->nics[i];

		nic->bifurcated =
			p != NULL && host_nic_bifurcated(p->driver) && !nic->uio && !nic->bind;
		nic->iommu_group = p != NULL && !nic->uio && !nic->bifurcated ? p->iommu_group : -1;
		if (nic->bifurcated && take_interface(t, p, err) < 0)
			return -err->code;
	}
	return 0;
}

// ---- what is refused

// A group is the unit of isolation: whoever has one of its functions has them all.
static int check_group(
	const struct grant *g, const struct host_pci *nic, const struct host *host, struct err *err
)
{
	for (unsigned i = 0; i < host->npci; i++) {
		const struct host_pci *p = &host->pci[i];

		if (p->iommu_group != nic->iommu_group || host_pci_harmless(p)
		    || nic_granted((const struct terms *)g, p->bdf))
			continue;
		return err_set(
			err,
			EBUSY,
			"NIC %s shares IOMMU group %d with %s (driver %s); grant both, "
			"or bind the other to no driver",
			nic->bdf,
			nic->iommu_group,
			p->bdf,
			p->driver
		);
	}
	return 0;
}

static int check_driver(const struct grant_nic *nic, const struct host_pci *p, struct err *err)
{
	if (str_eq(p->driver, "vfio-pci"))
		return 0;
	if (host_nic_bifurcated(p->driver))
		return err_set(
			err,
			EOPNOTSUPP,
			"NIC %s: DPDK works beside its kernel driver (%s), which has to stay; say "
			"no more than --nic %s",
			p->bdf,
			p->driver,
			p->bdf
		);
	if (!nic->bind && host_nic_uio(p->driver))
		return err_set(
			err,
			EBUSY,
			"NIC %s is bound to %s, where nothing confines its DMA; bind it "
			"to vfio-pci: pinfold nic bind %s, or say --nic %s,unsafe-uio, and the "
			"program is as "
			"good as root on this host",
			p->bdf,
			p->driver,
			p->bdf,
			p->bdf
		);
	if (!nic->bind)
		return err_set(
			err,
			EBUSY,
			"NIC %s is bound to %s; bind it to vfio-pci first: pinfold nic bind %s, or "
			"say --nic %s,bind",
			p->bdf,
			p->driver[0] != '\0' ? p->driver : "no driver",
			p->bdf,
			p->bdf
		);
	if (nic_check_lent(p, "NIC", err) < 0)
		return -err->code;
	return nic_check_use(p, "NIC", "take it from there first", err);
}

static int check_uio(const struct host_pci *p, struct err *err)
{
	if (host_nic_uio(p->driver))
		return 0;
	return err_set(
		err,
		EINVAL,
		"NIC %s is bound to %s, and unsafe-uio is for uio_pci_generic and igb_uio; leave "
		"it out, or: pinfold nic bind --driver uio_pci_generic %s",
		p->bdf,
		p->driver[0] != '\0' ? p->driver : "no driver",
		p->bdf
	);
}

// All its ports are reached over the one InfiniBand device.
static int check_bifurcated(
	const struct grant *g, const struct host_pci *p, const struct host *host, struct err *err
)
{
	const struct host_netdev *more = left_out((const struct terms *)g, host, p, "");

	if (!host_nic_bifurcated(p->driver))
		return err_set(
			err,
			EINVAL,
			"NIC %s is bound to %s, and its grant says that its kernel driver stays; "
			"make the grant again",
			p->bdf,
			p->driver[0] != '\0' ? p->driver : "no driver"
		);
	if (nic_check_lent(p, "NIC", err) < 0)
		return -err->code;
	if (p->netdev[0] == '\0')
		return err_set(
			err,
			ENODEV,
			"NIC %s has no interface that could go with it; is it in another network "
			"namespace?",
			p->bdf
		);
	if (more == NULL)
		return 0;
	return err_set(
		err,
		EBUSY,
		"NIC %s has interface '%s' too, which its program would reach; say --netdev %s as "
		"well, or choose another",
		p->bdf,
		more->name,
		more->name
	);
}

static int check_nic(
	const struct grant *g,
	const struct grant_nic *nic,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	const struct host_pci *p = host_pci(host, nic->bdf);
	const struct holding *had = nic_holder(others, nic->bdf);
	const struct grant *holder;

	if (p == NULL)
		return err_set(
			err, ENODEV, "NIC %s does not exist; see pinfold nic list", nic->bdf
		);
	if (p->default_route)
		return nic_check_use(p, "NIC", "choose another", err);
	if (had != NULL)
		return err_set(
			err, EBUSY, "NIC %s is granted to '%s' already", p->bdf, had->grant.name
		);
	holder = p->netdev[0] != '\0' ? netdev_holder(others, p->netdev) : NULL;
	if (holder != NULL)
		return err_set(
			err,
			EBUSY,
			"NIC %s: its interface '%s' is granted to '%s'",
			p->bdf,
			p->netdev,
			holder->name
		);
	if (host_nic_check_vfs(p, err) < 0)
		return -err->code;
	if (nic->uio)
		return check_uio(p, err);
	if (nic->bifurcated) // check_netdevs looks at the rest
		return check_bifurcated(g, p, host, err);
	if (check_driver(nic, p, err) < 0)
		return -err->code;
	if (p->iommu_group < 0)
		return err_set(
			err,
			ENODEV,
			"NIC %s is in no IOMMU group, so nothing could confine it; turn "
			"the IOMMU on (intel_iommu=on or the firmware's VT-d/AMD-Vi)",
			p->bdf
		);
	// what the workload gets is the device node of this group
	if (p->iommu_group != nic->iommu_group)
		return err_set(
			err,
			EINVAL,
			"NIC %s is in IOMMU group %d, not %d as grant '%s' says; make "
			"the grant again",
			p->bdf,
			p->iommu_group,
			nic->iommu_group,
			g->name
		);
	return check_group(g, p, host, err);
}

int check_nics(
	const struct grant *g,
	const struct host *host,
	const struct holdings *others,
	struct err *err
)
{
	for (unsigned i = 0; i < g->nnics; i++) {
		if (check_nic(g, &g->nics[i], host, others, err) < 0)
			return -err->code;
	}
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/nics_gone.h"

#include "apply/apply.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/uio.h"
#include "host/vfio.h"

#include <fcntl.h>
#include <unistd.h>

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

static bool is_there(const struct hostfs *fs, const char *bdf)
{
	_cleanup_free_ char *path = str_printf("sys/bus/pci/devices/%s", bdf);
	_cleanup_close_ int dir =
		path != NULL ? fs_open_in(fs->root, path, O_PATH | O_DIRECTORY, 0) : -1;

	return path == NULL || dir >= 0 || !is_gone(-errno);
}

// *ret: 0 where it has none. What cannot be read is not known: false.
static bool node_of(const struct hostfs *fs, const struct grant_nic *nic, dev_t *ret)
{
	struct host_uio u = {.rdev = 0};
	struct err unused;
	dev_t rdev = 0;
	int r = 0;

	if (nic->uio)
		r = host_uio_find(fs, nic->bdf, &u, &unused);
	else if (nic->iommu_group >= 0)
		r = host_vfio_group(fs, nic->iommu_group, &rdev, &unused);
	*ret = r < 0 ? 0 : nic->uio ? u.rdev : rdev;
	return r == 0 || is_gone(r);
}

void nics_know(const struct hostfs *fs, const struct lease *lease, struct nics_known *ret)
{
	const struct grant *g = &lease->grant;

	*ret = (struct nics_known){.gone = 0};
	for (unsigned i = 0; i < g->nnics; i++)
		node_of(fs, &g->nics[i], &ret->node[i]);
}

// Whether it is done. first: the failure was not logged yet.
static bool refuse(const struct hostfs *fs, const struct lease *lease, dev_t node, bool first)
{
	struct err err;

	// one on the bare host is root
	if (!site_has(&lease->site, SITE_IDS) || cgroup_refuse_device(fs, lease, node, &err) == 0)
		return true;
	if (first)
		event_log("'%s': %s", lease->grant.name, err.msg);
	return false;
}

uint64_t nics_look_gone(const struct hostfs *fs, const struct lease *lease, struct nics_known *k)
{
	const struct grant *g = &lease->grant;
	uint64_t now = 0;
	dev_t node;

	for (unsigned i = 0; i < g->nnics; i++) {
		const uint64_t bit = UINT64_C(1) << i;
		bool changed =
			k->node[i] != 0 && node_of(fs, &g->nics[i], &node) && node != k->node[i];

		// another function of its group may keep the node
		if (changed && (k->refused & bit) == 0
		    && refuse(fs, lease, k->node[i], (k->gone & bit) == 0))
			k->refused |= bit;
		if (changed || !is_there(fs, g->nics[i].bdf))
			now |= bit & ~k->gone;
	}
	k->gone |= now;
	return now;
}

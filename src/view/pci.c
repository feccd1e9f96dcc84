// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/bus/pci/devices with links to the granted functions only (paper, §5.3.1). The links are as deep
// as the host's, so they resolve in the sysfs that is mounted around them.

#include "base/scope.h"
#include "view/view.h"

void view_pci(
	struct view *v, const struct grant *g, const struct host *host, const struct hostfs *fs
)
{
	view_add(v, VIEW_DIR, NULL, "pci");
	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *p = host_pci(host, g->nics[i].bdf);

		if (p != NULL)
			view_add(
				v, VIEW_LINK, str_printf("../../../%s", p->path), "pci/%s", p->bdf
			);
	}
	view_cover(v, fs, "pci", "/sys/bus/pci/devices");
}

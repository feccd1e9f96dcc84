// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The devices of a keeper and all that it starts, whose containers get no cgroup of their own from the
// runtime: those that every container has (OCI runtime specification, "Default Devices"), and the granted
// VFIO groups.

#include "base/scope.h"
#include "host/vfio.h"
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static const char *const always[] = {"1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:2", "136:*"};

static void allow(struct plan *p, const char *box, const char *number)
{
	plan_step(
		p,
		STEP_SET,
		STEP_HOST,
		str_printf("%s/devices.allow", box),
		str_printf("c %s rwm", number)
	);
}

int plan_devices(
	struct plan *p,
	const char *box,
	enum host_cgroup_version version,
	const struct hostfs *fs,
	struct err *err
)
{
	const struct grant *g = &p->lease.grant;
	char all[64 + (GRANT_NICS + 1) * 24] = "";
	size_t n = 0;
	dev_t rdev;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s ", always[i]);
	for (unsigned i = 0; i <= g->nnics && g->nnics > 0; i++) {
		int r = i == g->nnics ? host_vfio_container(fs, &rdev, err)
				      : host_vfio_group(fs, g->nics[i].iommu_group, &rdev, err);

		if (r < 0)
			return r;
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%u:%u ", major(rdev), minor(rdev));
	}
	all[n - 1] = '\0';
	if (version == HOST_CGROUP_V2) {
		plan_step(p, STEP_DEVICES, STEP_HOST, strdup(box), strdup(all));
		return 0;
	}
	plan_step(p, STEP_SET, STEP_HOST, str_printf("%s/devices.deny", box), strdup("a"));
	for (char *save = NULL, *word = strtok_r(all, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save))
		allow(p, box, word);
	return 0;
}

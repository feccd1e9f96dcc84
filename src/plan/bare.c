// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A workload on the bare host: the grant's cgroups and, in a private mount namespace, its views.
// Nothing else confines it.

#include "base/scope.h"
#include "plan/plan.h"

#include <string.h>

int plan_bare(struct plan *p, const struct launch *launch, struct err *err)
{
	p->argv = json_array();
	p->env = json_array();
	for (char *const *a = launch->argv; *a != NULL; a++) {
		if (json_array_append_new(p->argv, json_string(*a)) < 0)
			return err_set(err, EINVAL, "argument '%.64s' is not UTF-8", *a);
	}
	json_array_append_new(p->env, json_string("PINFOLD_GRANT=" RUN_DIR "/grant.json"));
	for (unsigned i = 0; i < launch->nenv; i++) {
		if (json_array_append_new(p->env, json_string(launch->env[i])) < 0)
			return err_set(
				err, EINVAL, "environment '%.64s' is not UTF-8", launch->env[i]
			);
	}
	p->cpus = grant_all_cpus(&p->lease.grant);
	return 0;
}

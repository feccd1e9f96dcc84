// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A workload on the bare host: the grant's cgroups and, in a private mount namespace, its views.
// Nothing else confines it.

#include "plan/make.h"

#include <string.h>

int plan_bare(struct plan *p, struct err *err)
{
	if (process_check(p->launch->argv, p->launch->nenv, p->launch->env, err) < 0)
		return -err->code;
	p->argv = json_array();
	for (char *const *a = p->launch->argv; *a != NULL; a++)
		json_array_append_new(p->argv, json_string(*a));
	p->env = process_env(&p->lease.site, NULL, false, p->launch->nenv, p->launch->env);
	p->cpus = grant_all_cpus(&p->lease.grant);
	return 0;
}

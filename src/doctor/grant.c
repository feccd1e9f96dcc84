// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whether the grant that is asked for can be had: what pinfold run would choose, or its refusal.

#include "base/size.h"
#include "doctor/doctor.h"

#include <string.h>

// A command that is the last words of some refusals, NULL where there is none. What a refusal quotes is somebody's text: more
// than plain words is no command.
static const char *command_of(const char *refusal)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 =@:._-";
	const char *found = NULL;

	for (const char *at = refusal; (at = strstr(at, ": pinfold ")) != NULL; at++)
		found = at + 2;
	return found != NULL && found[strspn(found, plain)] == '\0' ? found : NULL;
}

void doctor_grant(struct doctor *d)
{
	char cpus[IDSET_STR], mems[IDSET_STR], size[SIZE_STR];
	const struct grant *g = d->grant;
	struct idset all;

	if (d->wanted == NULL)
		return;
	if (g == NULL) {
		const char *command = command_of(d->refusal->msg);

		doctor_find(d, VERDICT_FAIL, "grant", "%s", d->refusal->msg);
		doctor_cure(d, "%s", command != NULL ? command : "pinfold host free");
		return;
	}
	all = grant_all_cpus(g);
	doctor_find(
		d,
		VERDICT_PASS,
		"grant",
		"can be had: CPUs %s, nodes %s, %s of hugepages, %u NICs",
		idset_format(&all, cpus, sizeof(cpus)),
		idset_format(&g->mems, mems, sizeof(mems)),
		size_format(grant_hugepage_bytes(g, -1), size),
		g->nnics
	);
}

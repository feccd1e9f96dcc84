// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The grant that this process has, in words that EAL and a shell take.

#include "inside/own_grant.h"

#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "inside/audit/given.h"
#include "inside/inside.h"
#include "inside/mounts.h"

#include <stdio.h>
#include <string.h>

#define GRANT "/run/pinfold/grant.json"
#define EAL_LCORES 128 // of Debian's EAL: it knows no CPU beyond by its own number

static void look_at_mount(const struct mntent *m, void *arg)
{
	bool *found = arg;

	*found = *found || str_eq(m->mnt_type, "hugetlbfs");
}

static bool has_hugetlbfs(void)
{
	bool found = false;

	own_mounts_each(look_at_mount, &found);
	return found;
}

// "-l 2-3"; with CPUs beyond "--lcores 0@200,1@201".
static void eal_lcores(const struct given *g, FILE *out)
{
	char text[IDSET_STR];
	bool far = false;
	unsigned n = 0;

	idset_foreach (cpu, &g->cpus)
		far = far || cpu >= EAL_LCORES;
	if (!far) {
		fprintf(out, "-l %s", idset_format(&g->cpus, text, sizeof(text)));
		return;
	}
	fprintf(out, "--lcores ");
	idset_foreach (cpu, &g->cpus) {
		fprintf(out, "%s%u@%d", n > 0 ? "," : "", n, cpu);
		n++;
	}
}

static void eal(const struct given *g, FILE *out)
{
	eal_lcores(g, out);
	for (unsigned i = 0; i < g->nnics; i++)
		fprintf(out, " -a %s", g->nics[i].pci);
	if (g->nnics == 0)
		fprintf(out, " --no-pci");
	if (g->npages == 0)
		fprintf(out, " --no-huge");
	else if (g->nmounts == 1)
		fprintf(out, " --huge-dir %s", g->mounts[0].path);
	else if (g->nmounts == 0 && !has_hugetlbfs())
		fprintf(out, " --in-memory");
	fprintf(out, " --file-prefix %s", g->name);
}

// Nothing in a grant has an apostrophe.
static void environment(const struct given *g, FILE *out)
{
	char text[IDSET_STR], size[SIZE_STR];

	fprintf(out, "PINFOLD_NAME='%s'\n", g->name);
	fprintf(out, "PINFOLD_CPUS='%s'\n", idset_format(&g->cpus, text, sizeof(text)));
	fprintf(out, "PINFOLD_MEMS='%s'\n", idset_format(&g->mems, text, sizeof(text)));
	fprintf(out, "PINFOLD_MEMORY='%llu'\n", (unsigned long long)g->memory);
	fprintf(out, "PINFOLD_HUGEPAGES='");
	for (unsigned i = 0; i < g->npages; i++)
		fprintf(out,
			"%s%s=%llu",
			i > 0 ? " " : "",
			size_format(g->pages[i].size, size),
			(unsigned long long)g->pages[i].count);
	fprintf(out, "'\nPINFOLD_HUGETLBFS='");
	for (unsigned i = 0; i < g->nmounts; i++)
		fprintf(out, "%s%s", i > 0 ? " " : "", g->mounts[i].path);
	fprintf(out, "'\nPINFOLD_NICS='");
	for (unsigned i = 0; i < g->nnics; i++)
		fprintf(out, "%s%s", i > 0 ? " " : "", g->nics[i].pci);
	fprintf(out, "'\nPINFOLD_EAL='");
	eal(g, out);
	fprintf(out, "'\n");
}

int share_show(enum share_form form)
{
	const char *path = getenv("PINFOLD_GRANT");
	struct given g;
	struct err err;

	if (path == NULL || path[0] != '/')
		path = GRANT;
	if (given_read(path, &g, &err) < 0)
		return inside_fail("show: %s", err.msg);
	if (!g.known)
		return inside_fail("show: there is no grant in '%s'", path);
	if (form == SHARE_EAL) {
		eal(&g, stdout);
		putchar('\n');
	} else {
		environment(&g, stdout);
	}
	return fflush(stdout) == 0 ? 0 : inside_fail("show: cannot write: %s", strerror(errno));
}

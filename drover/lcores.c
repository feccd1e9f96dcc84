// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "lcores.h"

#include "base/jread.h"
#include "base/scope.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#define GRANT_FILE "/run/pinfold/grant.json"

// What the machine offers to a program without a grant.
static void ungranted(struct resources *r)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long pages = 0;
	char line[128];

	sched_getaffinity(0, sizeof(r->own.word), (cpu_set_t *)r->own.word);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "HugePages_Free: %llu", &pages) == 1)
			break;
	}
	r->hugepages = pages > 0;
}

int resources_read(struct resources *ret, struct err *err)
{
	struct resources r = {0};
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_json_ json_t *doc = NULL;
	json_t *pages;
	struct stat st;

	// outside of a workload the file is missing, or empty: something for others to be bound over
	if (root < 0 || stat(GRANT_FILE, &st) < 0 || st.st_size == 0) {
		ungranted(&r);
		*ret = r;
		return 0;
	}
	if (jread_file(root, GRANT_FILE, "grant '" GRANT_FILE "'", &doc, err) < 0)
		return -err->code;
	if (jread_idset(doc, "the grant", "cpus", true, &r.own, err) < 0
	    || jread_idset(doc, "the grant", "shared-cpus", false, &r.shared, err) < 0)
		return -err->code;
	pages = json_object_get(doc, "hugepages");
	r.granted = true;
	r.hugepages = json_array_size(pages) > 0;
	r.fs = json_array_size(json_object_get(doc, "hugetlbfs")) > 0;
	*ret = r;
	return 0;
}

// The cores of the file that poll.
static unsigned workers(const struct conf *c, const struct conf_core **list)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->ncores; i++) {
		if (c->cores[i].ntasks > 0)
			list[n++] = &c->cores[i];
	}
	return n;
}

// Where the control thread sleeps: on a shared CPU, else on one that nobody polls on, else with the
// first worker.
static unsigned choose_main(const struct resources *r, const struct placement *p)
{
	struct idset left = r->own;

	if (!idset_empty(&r->shared))
		return (unsigned)idset_first(&r->shared);
	for (unsigned i = 0; i < p->nlcores; i++)
		idset_del(&left, p->cpu[i]);
	return idset_empty(&left) ? p->cpu[0] : (unsigned)idset_first(&left);
}

int lcores_place(
	const struct conf *c,
	const struct resources *r,
	bool squeeze,
	struct placement *ret,
	struct err *err
)
{
	const struct conf_core *list[CONF_CORES];
	struct placement p = {.nlcores = workers(c, list)};
	unsigned have = idset_count(&r->own);
	bool exact = true;
	int next = -1;

	if (have == 0)
		return err_set(
			err, EINVAL, "the grant has no CPU of its own to poll on; add --cpus to it"
		);
	for (unsigned i = 0; i < p.nlcores; i++)
		exact = exact && idset_has(&r->own, list[i]->id) && !list[i]->hyperthread;
	if (p.nlcores > have && !squeeze)
		return err_set(
			err,
			EBUSY,
			"%s wants %u polling cores, CPUs %s: %u; grant more, or squeeze them "
			"onto those "
			"with --squeeze (for tests: it is slow)",
			c->file,
			p.nlcores,
			r->granted ? "granted" : "allowed",
			have
		);
	for (unsigned i = 0; i < p.nlcores; i++) {
		if (exact) {
			p.cpu[i] = list[i]->id;
			continue;
		}
		next = idset_next(&r->own, (unsigned)(next + 1));
		if (next < 0) {
			next = idset_first(&r->own);
			p.squeezed = true;
		}
		p.cpu[i] = (unsigned)next;
	}
	p.main_cpu = choose_main(r, &p);
	*ret = p;
	return 0;
}

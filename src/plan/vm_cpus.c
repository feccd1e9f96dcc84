// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The granted CPUs as a guest sees them.

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "plan/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_place(const void *a, const void *b)
{
	const struct host_cpu *const *x = a, *const *y = b;

	if ((*x)->package != (*y)->package)
		return (*x)->package < (*y)->package ? -1 : 1;
	if ((*x)->core != (*y)->core)
		return (*x)->core < (*y)->core ? -1 : 1;
	return (*x)->id < (*y)->id ? -1 : 1;
}

// How many of the sorted CPUs from the first are on its package, or its core.
static unsigned together(const struct host_cpu *const *cpus, unsigned n, bool core)
{
	unsigned i;

	for (i = 1; i < n && cpus[i]->package == cpus[0]->package
		    && (!core || cpus[i]->core == cpus[0]->core);
	     i++)
		;
	return i;
}

// Every socket with as many cores, every core with as many threads; else each CPU is a core to the guest.
static void topology(const struct host_cpu *const *cpus, struct plan_vm_cpus *ret)
{
	unsigned socket = together(cpus, ret->n, false), core = together(cpus, ret->n, true);
	bool even = ret->n % socket == 0 && socket % core == 0 && cpus[0]->core >= 0;

	for (unsigned i = 0; even && i < ret->n; i += socket)
		even = together(cpus + i, ret->n - i, false) == socket;
	for (unsigned i = 0; even && i < ret->n; i += core)
		even = together(cpus + i, ret->n - i, true) == core;
	ret->sockets = even ? ret->n / socket : 1;
	ret->threads = even ? core : 1;
	ret->cores = ret->n / ret->sockets / ret->threads;
}

// ---- caches

#define VENDOR_LEN 13
#define VENDOR_INTEL "GenuineIntel"
#define VENDOR_AMD "AuthenticAMD"

// "": of a vendor whose way to tell of caches is not known here.
static void read_vendor(const struct plan *p, char ret[static VENDOR_LEN])
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(p->fs->root, "proc/cpuinfo");
	char line[256], name[VENDOR_LEN];

	ret[0] = '\0';
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "vendor_id : %12s", name) != 1)
			continue;
		if (str_eq(name, VENDOR_INTEL) || str_eq(name, VENDOR_AMD))
			strcpy(ret, name);
		return;
	}
}

// QEMU hands on what the host's CPU says of its caches, but for which CPUs share one: the first two levels the threads
// of a core, the third a socket. Whether that is so of the granted ones.
static bool caches_alike(
	const struct host_cpu *const *cpus,
	const struct idset *granted,
	const struct plan_vm_cpus *v,
	const char *vendor
)
{
	if (vendor[0] == '\0')
		return false;
	// there a guest divides by how many share it on the host, across sockets too, and of threads it may not know
	if (str_eq(vendor, VENDOR_AMD) && (v->sockets > 1 || v->threads > 1))
		return false;
	for (unsigned i = 0; i < v->n; i++) {
		if (cpus[i]->ncaches == 0)
			return false;
		for (unsigned k = 0; k < cpus[i]->ncaches; k++) {
			const struct host_cache *c = &cpus[i]->caches[k];
			struct idset mine = c->shared;

			idset_and(&mine, granted);
			if (c->level < 3 ? idset_count(&c->shared) != v->threads
					 : idset_count(&mine) != v->n / v->sockets)
				return false;
		}
	}
	return true;
}

int plan_vm_cpus(const struct plan *p, struct plan_vm_cpus *ret, struct err *err)
{
	struct idset all = grant_all_cpus(&p->lease.grant);
	const struct host_cpu *cpus[PLAN_VM_CPUS] = {NULL};
	char vendor[VENDOR_LEN];

	ret->n = 0;
	idset_foreach (id, &all) {
		const struct host_cpu *c = host_cpu(p->host, (unsigned)id);

		if (ret->n == PLAN_VM_CPUS || c == NULL)
			return err_set(
				err,
				EINVAL,
				"grant '%s': a virtual machine has at most %d CPUs, all of them "
				"online",
				p->lease.grant.name,
				PLAN_VM_CPUS
			);
		cpus[ret->n++] = c;
	}
	qsort(cpus, ret->n, sizeof(cpus[0]), by_place);
	for (unsigned i = 0; i < ret->n; i++)
		ret->id[i] = cpus[i]->id;
	topology(cpus, ret);
	read_vendor(p, vendor);
	ret->caches = caches_alike(cpus, &all, ret, vendor);
	plan_vm_nodes(p, ret);
	return 0;
}

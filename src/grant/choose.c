// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Fills what a request leaves open: which CPUs, which nodes.

#include "grant/choose.h"
#include "base/scope.h"
#include "base/size.h"
#include "grant/avail.h"
#include "grant/options.h"

#include <linux/capability.h>
#include <string.h>

#define EAL_LCORES 128 // Debian's EAL numbers lcores 0 to 127: CPUs beyond need --lcores

static int find_near(const char *near, const struct host *host, int *ret, struct err *err)
{
	const struct host_pci *p = host_nic_called(host, near);

	if (p == NULL)
		return err_set(
			err,
			ENODEV,
			"--near '%s': no such NIC by PCI address or name; see pinfold nic list",
			near
		);
	*ret = p->node;
	return 0;
}

// True if the pages asked for without a node all fit on this one.
static bool pages_fit(
	const struct request *req, const struct host *host, const struct holdings *others, int node
)
{
	for (unsigned i = 0; i < req->nhugepages; i++) {
		const struct grant_hugepages *h = &req->hugepages[i];

		if (h->node < 0 && avail_pages(host, others, h->size, node) < h->count)
			return false;
	}
	return true;
}

// Of the nodes with CPUs the one nearest to this one, itself if it has some. A node may have memory alone
// (of a GPU, or behind CXL): nobody lives there.
static int inhabited(const struct host *host, int node)
{
	int best = -1;

	for (unsigned i = 0; i < host->nnodes; i++) {
		const struct host_node *n = &host->nodes[i];

		if (!idset_empty(&n->cpus)
		    && (best < 0
			|| host_distance(host, node, (int)n->id) < host_distance(host, node, best)))
			best = (int)n->id;
	}
	return best;
}

// How good a node is: compared one after the other, larger is better.
struct merit {
	unsigned by[4];
};

static bool is_better(const struct merit *a, const struct merit *b)
{
	unsigned i = 0;

	while (i + 1 < ARRAY_LEN(a->by) && a->by[i] == b->by[i])
		i++;
	return a->by[i] > b->by[i];
}

// The node that the grant should live on, -1 if nothing speaks for one. cpus: those that are certain.
static int home_node(
	const struct request *req,
	const struct idset *cpus,
	const struct host *host,
	const struct holdings *others,
	int *ret,
	struct err *err
)
{
	struct idset free_cpus = avail_cpus(host, others);
	struct merit best_merit = {0};
	int best = -1;

	if (req->near[0] != '\0') {
		if (find_near(req->near, host, ret, err) < 0)
			return -err->code;
		if (*ret >= 0) {
			*ret = inhabited(host, *ret);
			return 0;
		}
	}
	for (unsigned i = 0; i < req->nnics; i++) {
		const struct host_pci *p = host_pci(host, req->nics[i].bdf);

		if (p != NULL && p->node >= 0) {
			*ret = inhabited(host, p->node);
			return 0;
		}
	}
	if (!idset_empty(cpus)) {
		const struct host_cpu *c = host_cpu(host, (unsigned)idset_first(cpus));

		*ret = c != NULL ? c->node : -1;
		return 0;
	}
	for (unsigned i = 0; i < req->nhugepages; i++) {
		if (req->hugepages[i].node >= 0) {
			*ret = inhabited(host, req->hugepages[i].node);
			return 0;
		}
	}
	// Nothing said: the node where the pages are and, of those, the one with most free CPUs, first of those that are
	// chosen first; of such nodes one with memory that nobody was promised.
	for (unsigned i = 0; i < host->nnodes; i++) {
		const struct host_node *n = &host->nodes[i];
		struct idset left = n->cpus;
		struct merit m;
		unsigned count, low = 0;

		if (idset_empty(&n->cpus)
		    || (!idset_empty(&req->mems) && !idset_has(&req->mems, n->id)))
			continue;
		idset_and(&left, &free_cpus);
		count = idset_count(&left);
		if (count > req->cpu_count) // enough is enough
			count = req->cpu_count;
		idset_foreach (cpu, &left)
			low += low < count && cpu < EAL_LCORES;
		m = (struct merit
		){.by = {pages_fit(req, host, others, (int)n->id),
			 low,
			 count,
			 avail_memory(host, others, (int)n->id) >= req->memory}};
		if (best < 0 || is_better(&m, &best_merit)) {
			best = (int)n->id;
			best_merit = m;
		}
	}
	// memory of nodes without CPUs was asked for, and nothing else said
	if (best < 0 && !idset_empty(&req->mems))
		best = inhabited(host, idset_first(&req->mems));
	*ret = best;
	return 0;
}

// How good a CPU is: compared field by field, smaller is better. Of those alike choose_close takes some.
struct rank {
	unsigned key[6];
	unsigned id;
};

// near: the user named a place to be near to, which then counts more than lcore numbers do.
static struct rank rank_cpu(
	const struct host *host,
	const struct host_cpu *c,
	const struct idset *left,
	int home,
	bool near
)
{
	struct idset before = {0};
	struct rank r = {.id = c->id};

	idset_foreach (s, &c->siblings) {
		if (s < (int)c->id)
			idset_add(&before, (unsigned)s);
	}
	r.key[near ? 1 : 0] = c->id >= EAL_LCORES;
	r.key[near ? 0 : 1] = host_distance(host, home, c->node);
	r.key[2] = !idset_has(&host->isolated, c->id);
	r.key[3] = UINT32_MAX - c->speed;
	r.key[4] = !idset_subset(&c->siblings, left); // another grant computes on this core
	r.key[5] = idset_count(&before); // first threads of whole cores before their siblings
	return r;
}

static int compare_rank(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	for (unsigned i = 0; i < ARRAY_LEN(x->key); i++) {
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	}
	return 0;
}

static int choose_cpus(
	unsigned count,
	const struct host *host,
	const struct holdings *others,
	int home,
	bool near,
	struct idset *ret,
	struct err *err
)
{
	struct idset left = avail_cpus(host, others), kind = left, chosen = {0};
	_cleanup_free_ struct rank *ranks = calloc(host->ncpus, sizeof(*ranks));
	unsigned n = 0;

	if (ranks == NULL)
		return err_oom(err);
	choose_kind(host, count, &kind);
	for (unsigned i = 0; i < host->ncpus; i++) {
		if (idset_has(&kind, host->cpus[i].id))
			ranks[n++] = rank_cpu(host, &host->cpus[i], &left, home, near);
	}
	if (n < count)
		return err_set(
			err,
			EBUSY,
			"%u CPU%s wanted, %u of %u online ones are free; see pinfold ps and "
			"pinfold grant list",
			count,
			count == 1 ? "" : "s",
			n,
			host->ncpus
		);
	qsort(ranks, n, sizeof(*ranks), compare_rank);
	for (unsigned i = 0, end; count > 0; i = end) {
		struct idset alike = {0};
		unsigned some;

		for (end = i; end < n && compare_rank(&ranks[i], &ranks[end]) == 0; end++)
			idset_add(&alike, ranks[end].id);
		some = end - i < count ? end - i : count;
		choose_close(host, &alike, some, &chosen);
		count -= some;
	}
	*ret = chosen;
	return 0;
}

// The nodes it may take memory from, when the request does not say: those of its CPUs and pages that
// have memory (a kernel takes no others into a cpuset). Where they have none for the kernel, the nearest that has, too.
static struct idset choose_mems(const struct grant *g, const struct host *host, int home)
{
	struct idset cpus = grant_all_cpus(g), mems = host_nodes_of(host, &cpus);

	for (unsigned i = 0; i < g->nhugepages; i++)
		idset_add(&mems, (unsigned)g->hugepages[i].node);
	idset_and(&mems, &host->nodes_with_memory);
	if (idset_intersects(&mems, &host->nodes_for_kernel))
		return mems;
	if (home < 0 && !idset_empty(&cpus) && host_cpu(host, (unsigned)idset_first(&cpus)) != NULL)
		home = host_cpu(host, (unsigned)idset_first(&cpus))->node;
	home = host_nearest(host, home, &host->nodes_for_kernel);
	if (home >= 0)
		idset_add(&mems, (unsigned)home);
	return mems;
}

static int check_whole(const struct request *req, struct err *err)
{
	if (!idset_empty(&req->cpus) && req->cpu_count > 0)
		return err_set(
			err, EINVAL, "grant '%s': say --cpus or --cpu-count, not both", req->name
		);
	if (idset_empty(&req->cpus) && req->cpu_count == 0 && req->shared_pool[0] == '\0')
		return err_set(
			err,
			EINVAL,
			"grant '%s': no CPU asked for; say --cpus LIST, --cpu-count N or "
			"--shared-cpus POOL",
			req->name
		);
	if (req->kind == GRANT_POOL && options_beyond_pool(req))
		return err_set(
			err, EINVAL, "pool '%s': a pool has CPUs and nothing else", req->name
		);
	return 0;
}

int grant_resolve(
	const struct request *req,
	const struct host *host,
	const struct holdings *others,
	struct grant *ret,
	struct err *err
)
{
	struct grant g = {0};
	bool near = req->near[0] != '\0' || req->nnics > 0 || !idset_empty(&req->mems);
	struct idset certain;
	int home = -1;

	struct request chosen = *req;

	if (choose_nics((struct terms *)&chosen, host, others, err) < 0)
		return -err->code;
	req = &chosen;
	memcpy(&g, req, sizeof(struct terms));
	g.nhugepages = 0; // choose_pages says which
	options_usual(&g);
	if (check_whole(req, err) < 0)
		return -err->code;
	if (req->shared_pool[0] != '\0') {
		const struct grant *pool = avail_pool(others, req->shared_pool, err);

		if (pool == NULL)
			return -err->code;
		g.shared_cpus = pool->cpus;
	}
	certain = req->cpus;
	if (idset_empty(&certain) && req->cpu_count == 0)
		certain = g.shared_cpus;
	chosen.memory = g.memory;
	if (home_node(req, &certain, host, others, &home, err) < 0)
		return -err->code;
	if (req->cpu_count > 0
	    && choose_cpus(req->cpu_count, host, others, home, near, &g.cpus, err) < 0)
		return -err->code;
	if (choose_pages(req, host, others, home, &g, err) < 0)
		return -err->code;
	// net_tap of DPDK sets what it has opened up anew
	for (unsigned i = 0; i < g.nports; i++) {
		if (!g.ports[i].vhost)
			g.caps |= UINT64_C(1) << CAP_NET_ADMIN;
	}
	if (idset_empty(&g.mems))
		g.mems = choose_mems(&g, host, home);
	if (grant_validate(&g, host, others, err) < 0)
		return -err->code;
	*ret = g;
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any request document on a small machine: an explained refusal, or a grant that is within the
// machine, beside what is held, and can be written and read.

#include "fuzz.h"

#include "base/jread.h"
#include "grant/avail.h"
#include "grant/grant.h"

#define CPUS 8 // of four cores in two nodes

static struct host_cpu cpus[CPUS];
static struct host_node nodes[2];
static struct host_pci nic = {
	.bdf = "0000:3b:00.0", .driver = "vfio-pci", .iommu_group = 7, .node = 1, .netdev = ""};
static struct host host = {.ncpus = CPUS, .cpus = cpus, .numa = true, .nnodes = 2, .nodes = nodes};
static struct holdings others;

static void make_machine(void)
{
	static const struct host_hugepages small = {UINT64_C(2) << 20, 64, 60, 0, 0};
	static const struct host_hugepages large = {UINT64_C(1) << 30, 4, 4, 0, 0};
	struct grant pool = {.kind = GRANT_POOL, .name = "control"};
	struct err err;

	for (unsigned i = 0; i < CPUS; i++) {
		idset_add(&host.online, i);
		idset_add(&nodes[i / 4].cpus, i);
		cpus[i] = (struct host_cpu){.id = i, .core = (int)(i / 2), .node = (int)(i / 4)};
		idset_add(&cpus[i].siblings, i);
		idset_add(&cpus[i].siblings, i ^ 1);
	}
	for (unsigned i = 0; i < 2; i++) {
		nodes[i].id = i;
		nodes[i].ndistances = 2;
		nodes[i].distances[i] = 10;
		nodes[i].distances[1 - i] = 21;
		nodes[i].hugepages[0] = small;
		nodes[i].hugepages[1] = large;
		idset_add(&host.nodes_online, i);
		idset_add(&host.nodes_with_memory, i);
	}
	host.possible = host.present = host.online;
	host.nsizes = 2;
	host.hugepages[0] = small;
	host.hugepages[1] = large;
	for (unsigned i = 0; i < 2; i++) {
		host.hugepages[i].total *= 2;
		host.hugepages[i].free *= 2;
	}
	host.npci = 1;
	host.pci = &nic;
	host.mem_total = UINT64_C(8) << 30;
	idset_add(&pool.cpus, 0);
	must(holdings_add(&others, &pool, false, &err) == 0);
}

static void must_fit(const struct grant *g)
{
	struct idset left = avail_cpus(&host, &others), all = grant_all_cpus(g);

	must(idset_subset(&g->cpus, &left));
	must(!idset_empty(&all));
	must(idset_subset(&all, &host.online));
	if (g->kind == GRANT_POOL)
		return;
	must(!idset_empty(&g->mems) && idset_subset(&g->mems, &host.nodes_with_memory));
	for (unsigned i = 0; i < g->nhugepages; i++) {
		const struct grant_hugepages *h = &g->hugepages[i];

		must(h->count > 0 && idset_has(&g->mems, (unsigned)h->node));
		must(grant_pages(g, h->size, h->node, true, true)
		     <= avail_pages(&host, &others, h->size, h->node));
	}
	must(g->memory >= GRANT_MEMORY_MIN && g->memory <= host.mem_total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	_cleanup_json_ json_t *doc = NULL, *written = NULL, *again = NULL;
	static struct request req;
	static struct grant g, h;
	struct err err = {0};

	if (host.npci == 0)
		make_machine();
	if (jread_parse(text, len, "request 'x'", &doc, &err) < 0
	    || request_from_json(doc, "request 'x'", &req, &err) < 0) {
		must_explain(&err);
		return 0;
	}
	if (req.name[0] == '\0')
		strcpy(req.name, "x");
	if (grant_resolve(&req, &host, &others, &g, &err) < 0) {
		must_explain(&err);
		return 0;
	}
	must_fit(&g);
	written = grant_to_json(&g);
	must(grant_from_json(written, "grant 'x'", &h, &err) == 0);
	again = grant_to_json(&h);
	must(json_equal(written, again));
	must(grant_validate(&h, &host, &others, &err) == 0);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How much memory all of a configuration takes, found while it is built.

#include "base/scope.h"
#include "base/str.h"
#include "dpdk.h"
#include "need.h"
#include "port/port.h"

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KB UINT64_C(1024)
#define MB (KB * KB)
#define PAGE_SHIFT 21 // of the pages that are guessed: every x86 has them
// For what comes with traffic: the other ends of links, questions, and the processes that pinfold has in a container
#define SPARE_PAGES 1
#define SPARE_MEMORY (32 * MB)
#define SPARE_PIDS 32
#define GRANT_PIDS 128 // that a grant has when nothing is said

static struct {
	uint64_t size;
	int64_t now, most; // bytes
} mapped[NEED_SIZES];
static bool counts;

// Under EAL's lock of its memory.
static void count(uint64_t size, int64_t bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(mapped); i++) {
		if (mapped[i].size != size && mapped[i].size != 0)
			continue;
		mapped[i].size = size;
		mapped[i].now += bytes;
		mapped[i].most = RTE_MAX(mapped[i].most, mapped[i].now);
		return;
	}
}

static int add_segment(const struct rte_memseg_list *list, const struct rte_memseg *s, void *)
{
	if (!list->external)
		count(list->page_sz, (int64_t)s->len);
	return 0;
}

static void changed(enum rte_mem_event event, const void *at, size_t len, void *)
{
	const struct rte_memseg_list *list = rte_mem_virt2memseg_list(at);

	if (list != NULL && !list->external)
		count(list->page_sz, event == RTE_MEM_EVENT_ALLOC ? (int64_t)len : -(int64_t)len);
}

void measure_begin(void)
{
	// with --legacy-mem EAL has all pages from its start on, and says nothing
	counts = rte_eal_has_hugepages()
		 && rte_mem_event_callback_register("need", changed, NULL) == 0;
	if (counts)
		rte_memseg_walk(add_segment, NULL);
}

static void add_chunk(struct rte_mempool *, void *ret, struct rte_mempool_memhdr *chunk, unsigned)
{
	*(int64_t *)ret += (int64_t)chunk->len;
}

// In ordinary memory each buffer has a page of its own, in a hugepage they are side by side.
static void add_pool(struct rte_mempool *pool, void *ret)
{
	int64_t *sum = ret, has = 0;
	size_t least, align;

	if (pool->flags & RTE_MEMPOOL_F_NO_SPREAD) // of AF_XDP: the same in both
		return;
	rte_mempool_mem_iter(pool, add_chunk, &has);
	*sum += rte_mempool_op_calc_mem_size_default(
			pool, pool->populated_size, PAGE_SHIFT, &least, &align
		)
		- has;
	// a large piece begins a page of its own
	*sum += INT64_C(1) << PAGE_SHIFT;
}

// What of EAL's memory is somebody's.
static int64_t allocated(void)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < rte_socket_count(); i++) {
		struct rte_malloc_socket_stats st = {0};

		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &st) == 0)
			sum += (int64_t)st.heap_allocsz_bytes;
	}
	return sum;
}

static uint64_t guess_pages(void)
{
	int64_t sum = allocated();

	rte_mempool_walk(add_pool, &sum);
	// a sixteenth for what was there only for a while
	return ((uint64_t)(sum + sum / 16) >> PAGE_SHIFT) + 1;
}

// How much of EAL's ordinary memory was touched.
static int add_touched(const struct rte_memseg_list *list, void *ret)
{
	const size_t page = (size_t)getpagesize(), n = list->len / page;
	_cleanup_free_ unsigned char *in = list->external ? NULL : malloc(n);
	uint64_t *sum = ret;

	if (in == NULL || mincore(list->base_va, list->len, in) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		*sum += (in[i] & 1) * page;
	return 0;
}

// A line of /proc/self/status.
static int read_status(const char *name, uint64_t *ret, struct err *err)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	unsigned long long value;
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (str_starts(line, name) && sscanf(line + strlen(name), "%llu", &value) == 1) {
			*ret = value;
			return 0;
		}
	}
	return err_set(err, ENOENT, "'/proc/self/status' has no '%s'; mount a proc there", name);
}

// The client of a memif makes the memory of both when it is connected; who touches it first has it on its account.
static uint64_t memif_memory(const struct conf *c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < CONF_PORTS; i++) {
		const char *device = c->ports[i].device, *said = strstr(device, ",rsize=");
		struct port_device d;
		unsigned shift = 10; // as its driver has it
		struct err err;

		if (!c->ports[i].used || device[0] == '\0'
		    || port_parse_device(device, i, &d, &err) < 0 || !d.memif)
			continue;
		if (said != NULL)
			sscanf(said, ",rsize=%u", &shift);
		// a ring each way, with a slot for each of its entries
		sum += (2 * (uint64_t)d.slot) << RTE_MIN(shift, 14U);
	}
	return sum;
}

static void take_pages(struct need *n)
{
	for (size_t i = 0; counts && i < ARRAY_LEN(mapped) && mapped[i].size != 0; i++) {
		n->hugepages[n->nsizes].size = mapped[i].size;
		n->hugepages[n->nsizes++].count =
			(uint64_t)mapped[i].most / mapped[i].size + SPARE_PAGES;
	}
	if (counts)
		return;
	n->nsizes = 1;
	n->hugepages[0].size = UINT64_C(1) << PAGE_SHIFT;
	n->hugepages[0].count = guess_pages() + SPARE_PAGES;
}

int measure_end(
	const struct conf *c, bool no_huge, unsigned cpus, struct need *ret, struct err *err
)
{
	uint64_t most, tables, threads, touched = 0;

	if (need_devices(c, ret, err) < 0 || read_status("VmHWM:", &most, err) < 0
	    || read_status("VmPTE:", &tables, err) < 0
	    || read_status("Threads:", &threads, err) < 0)
		return -err->code;
	ret->cpus = cpus;
	if (!no_huge)
		take_pages(ret);
	// what would lie in hugepages; without them packets will touch what nobody has yet
	if (!rte_eal_has_hugepages())
		rte_memseg_list_walk(add_touched, &touched);
	ret->memory = (most + tables) * KB;
	ret->memory -= RTE_MIN(touched, ret->memory);
	if (no_huge)
		ret->memory += RTE_MAX(touched, (uint64_t)allocated());
	ret->memory = RTE_ALIGN_CEIL(ret->memory + memif_memory(c) + SPARE_MEMORY, 8 * MB);
	if (threads + SPARE_PIDS > GRANT_PIDS)
		ret->pids = (unsigned)threads + SPARE_PIDS;
	return 0;
}

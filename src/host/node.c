// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/devices/system/node, as described in the kernel's Documentation/ABI/stable/sysfs-devices-node.

#include "host/hostfs.h"

#include "base/scope.h"
#include "base/str.h"

#include <string.h>

#define NODE_DIR "sys/devices/system/node"

// Distances to the online nodes, in their order. A row of another length says nothing.
static int read_distances(int dir, struct host_node *node, unsigned nnodes)
{
	char buf[HOST_NODES * 8];
	unsigned n = 0;
	int r = hostfs_line(dir, "distance", buf, sizeof(buf));

	if (r < 0)
		return r;
	str_foreach (word, buf, " ") {
		uint64_t v;

		if (n == nnodes || host_parse_u64(word, 10, "", &v) < 0 || v > UINT8_MAX)
			return -EINVAL;
		node->distances[n++] = (uint8_t)v;
	}
	if (n < nnodes)
		return -EINVAL;
	node->ndistances = n;
	return 0;
}

static void read_node(const struct hostfs *fs, struct host *h, struct host_node *node)
{
	_cleanup_close_ int dir = -1;
	char path[64], pool[HOST_POOL_DIR + 16], name[HOST_POOL_DIR], text[8192];
	int r;

	for (unsigned i = 0; i < h->nsizes; i++)
		node->hugepages[i].size = h->hugepages[i].size;
	snprintf(path, sizeof(path), NODE_DIR "/node%u/", node->id);
	dir = hostfs_dir(fs->root, path);
	if (dir < 0) {
		host_note_unknown(h, path, "", dir);
		return;
	}
	host_list(h, dir, path, "cpulist", IDSET_MAX, &node->cpus);
	idset_and(&node->cpus, &h->online);
	r = hostfs_text(dir, "meminfo", text, sizeof(text));
	if (r < 0) {
		host_note_unknown(h, path, "meminfo", r);
	} else {
		node->mem_total = host_meminfo(text, "MemTotal");
		node->mem_free = host_meminfo(text, "MemFree");
	}
	r = read_distances(dir, node, h->nnodes);
	if (r < 0)
		host_note_unknown(h, path, "distance", r);
	for (unsigned i = 0; i < h->nsizes; i++) {
		host_pool_dir(h->hugepages[i].size, name);
		snprintf(pool, sizeof(pool), "hugepages/%s", name);
		host_read_pool(h, dir, path, pool, &node->hugepages[i]);
	}
}

// A kernel without NUMA: everything is on node 0.
static void make_up_node(struct host *h)
{
	struct host_node *node = &h->nodes[0];

	node->cpus = h->online;
	node->mem_total = h->mem_total;
	node->mem_free = h->mem_free;
	node->ndistances = 1;
	node->distances[0] = 10;
	for (unsigned i = 0; i < h->nsizes; i++) {
		node->hugepages[i] = h->hugepages[i];
		node->hugepages[i].reserved = 0;
	}
	idset_add(&h->nodes_online, 0);
	idset_add(&h->nodes_with_memory, 0);
	idset_add(&h->nodes_for_kernel, 0);
}

static void read_all(const struct hostfs *fs, struct host *h)
{
	struct idset with_memory;
	unsigned n = 0;

	idset_foreach (id, &h->nodes_online)
		h->nodes[n++].id = (unsigned)id;
	for (unsigned i = 0; i < h->nnodes; i++) {
		read_node(fs, h, &h->nodes[i]);
		if (h->nodes[i].mem_total > 0)
			idset_add(&h->nodes_with_memory, h->nodes[i].id);
	}
	host_list(h, fs->root, "", NODE_DIR "/has_memory", HOST_NODES, &with_memory);
	idset_and(&with_memory, &h->nodes_online);
	if (!idset_empty(&with_memory))
		h->nodes_with_memory = with_memory;
	// it is somewhere, and none of them says where
	if (idset_empty(&h->nodes_with_memory))
		h->nodes_with_memory = h->nodes_online;
	// the others have movable memory alone, as what is to be taken off again
	host_list(h, fs->root, "", NODE_DIR "/has_normal_memory", HOST_NODES, &h->nodes_for_kernel);
	idset_and(&h->nodes_for_kernel, &h->nodes_with_memory);
	if (idset_empty(&h->nodes_for_kernel))
		h->nodes_for_kernel = h->nodes_with_memory;
}

// Gives the CPUs that no node claims to the first that has CPUs.
static void house(struct host *h)
{
	struct host_node *first = NULL;
	struct idset homeless = h->online;

	for (unsigned n = 0; n < h->nnodes; n++) {
		idset_andnot(&homeless, &h->nodes[n].cpus);
		if (first == NULL && !idset_empty(&h->nodes[n].cpus))
			first = &h->nodes[n];
	}
	idset_or(first != NULL ? &first->cpus : &h->nodes[0].cpus, &homeless);
}

int host_read_nodes(const struct hostfs *fs, struct host *h, struct err *err)
{
	host_list(h, fs->root, "", NODE_DIR "/online", HOST_NODES, &h->nodes_online);
	h->numa = !idset_empty(&h->nodes_online);
	h->nodes = calloc(h->numa ? idset_count(&h->nodes_online) : 1, sizeof(*h->nodes));
	if (h->nodes == NULL)
		return err_oom(err);
	h->nnodes = h->numa ? idset_count(&h->nodes_online) : 1;
	if (!h->numa)
		make_up_node(h);
	else
		read_all(fs, h);

	house(h);
	for (unsigned i = 0; i < h->ncpus; i++) {
		struct host_cpu *c = &h->cpus[i];

		for (unsigned n = 0; n < h->nnodes; n++) {
			if (idset_has(&h->nodes[n].cpus, c->id))
				c->node = (int)h->nodes[n].id;
		}
	}
	return 0;
}

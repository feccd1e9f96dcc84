// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// /sys/devices/system/node, as described in the kernel's Documentation/ABI/stable/sysfs-devices-node.

#include "host/hostfs.h"

#include "base/scope.h"

#include <string.h>

#define NODE_DIR "sys/devices/system/node"

// Distances to the online nodes, in their order. A row of another length says nothing.
static void read_distances(int dir, struct host_node *node, unsigned nnodes)
{
	char buf[HOST_NODES * 8];
	char *save = NULL;
	unsigned n = 0;

	if (hostfs_line(dir, "distance", buf, sizeof(buf)) < 0)
		return;
	for (char *word = strtok_r(buf, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		uint64_t v;

		if (n == nnodes || host_parse_u64(word, 10, "", &v) < 0 || v > 255)
			return;
		node->distances[n++] = (unsigned)v;
	}
	if (n == nnodes)
		node->ndistances = n;
}

static int read_node(
	const struct hostfs *fs, struct host *h, struct host_node *node, struct err *err
)
{
	_cleanup_close_ int dir = -1;
	char path[64], pool[HOST_POOL_DIR + 16], name[HOST_POOL_DIR], text[8192];

	for (unsigned i = 0; i < h->nsizes; i++)
		node->hugepages[i].size = h->hugepages[i].size;
	snprintf(path, sizeof(path), NODE_DIR "/node%u", node->id);
	dir = hostfs_dir(fs->root, path);
	if (dir < 0)
		return 0;
	if (hostfs_idset(dir, "cpulist", false, &node->cpus, err) < 0)
		return err_wrap(err, "read NUMA node %u", node->id);
	idset_and(&node->cpus, &h->online);
	if (hostfs_text(dir, "meminfo", text, sizeof(text)) == 0) {
		node->mem_total = host_meminfo(text, "MemTotal");
		node->mem_free = host_meminfo(text, "MemFree");
	}
	read_distances(dir, node, h->nnodes);
	for (unsigned i = 0; i < h->nsizes; i++) {
		host_pool_dir(h->hugepages[i].size, name);
		snprintf(pool, sizeof(pool), "hugepages/%s", name);
		host_read_pool(dir, pool, &node->hugepages[i]);
	}
	return 0;
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
}

static int read_all(const struct hostfs *fs, struct host *h, struct err *err)
{
	struct idset with_memory;
	unsigned n = 0;

	idset_foreach (id, &h->nodes_online)
		h->nodes[n++].id = (unsigned)id;
	for (unsigned i = 0; i < h->nnodes; i++) {
		if (read_node(fs, h, &h->nodes[i], err) < 0)
			return -err->code;
		if (h->nodes[i].mem_total > 0)
			idset_add(&h->nodes_with_memory, h->nodes[i].id);
	}
	if (hostfs_idset(fs->root, NODE_DIR "/has_memory", false, &with_memory, err) < 0)
		return -err->code;
	if (!idset_empty(&with_memory)) {
		idset_and(&with_memory, &h->nodes_online);
		h->nodes_with_memory = with_memory;
	}
	return 0;
}

int host_read_nodes(const struct hostfs *fs, struct host *h, struct err *err)
{
	if (hostfs_idset(fs->root, NODE_DIR "/online", false, &h->nodes_online, err) < 0)
		return -err->code;
	if (idset_next(&h->nodes_online, HOST_NODES) >= 0)
		return err_set(
			err,
			E2BIG,
			"read '" NODE_DIR "/online': node %d, but only nodes below %d are known",
			idset_next(&h->nodes_online, HOST_NODES),
			HOST_NODES
		);
	h->numa = !idset_empty(&h->nodes_online);
	h->nodes = calloc(h->numa ? idset_count(&h->nodes_online) : 1, sizeof(*h->nodes));
	if (h->nodes == NULL)
		return err_oom(err);
	h->nnodes = h->numa ? idset_count(&h->nodes_online) : 1;
	if (!h->numa)
		make_up_node(h);
	else if (read_all(fs, h, err) < 0)
		return -err->code;

	for (unsigned i = 0; i < h->ncpus; i++) {
		struct host_cpu *c = &h->cpus[i];

		c->node = (int)h->nodes[0].id;
		for (unsigned n = 0; n < h->nnodes; n++) {
			if (idset_has(&h->nodes[n].cpus, c->id))
				c->node = (int)h->nodes[n].id;
		}
	}
	return 0;
}

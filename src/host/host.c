// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/hostfs.h"

#include "base/scope.h"

#include <string.h>

#define CMDLINE_MAX 65536 // no architecture's COMMAND_LINE_SIZE is larger

static void read_memory(const struct hostfs *fs, struct host *h)
{
	char text[16384];
	int r = hostfs_text(fs->root, "proc/meminfo", text, sizeof(text));

	if (r < 0) {
		host_note_unknown(h, "", "proc/meminfo", r);
		return;
	}
	h->mem_total = host_meminfo(text, "MemTotal");
	h->mem_free = host_meminfo(text, "MemFree");
	h->default_hugepage = host_meminfo(text, "Hugepagesize");
}

static void read_word(const struct hostfs *fs, const char *path, char *ret, size_t len)
{
	if (hostfs_line(fs->root, path, ret, len) < 0)
		ret[0] = '\0';
}

static int read_kernel(const struct hostfs *fs, struct host *h, struct err *err)
{
	_cleanup_free_ char *line = malloc(CMDLINE_MAX);

	if (line == NULL)
		return err_oom(err);
	if (hostfs_line(fs->root, "proc/cmdline", line, CMDLINE_MAX) < 0)
		line[0] = '\0';
	h->cmdline = strdup(line);
	if (h->cmdline == NULL)
		return err_oom(err);
	read_word(fs, "proc/sys/kernel/osrelease", h->release, sizeof(h->release));
	hostfs_boot_id(fs->root, h->boot_id);
	read_word(fs, "proc/sys/kernel/hostname", h->hostname, sizeof(h->hostname));
	return 0;
}

static bool has_selinux(const struct hostfs *fs)
{
	uint64_t enforce;

	return hostfs_u64(fs->root, "sys/fs/selinux/enforce", &enforce) == 0;
}

static bool has_iommu(const struct hostfs *fs)
{
	_cleanup_closedir_ DIR *d = hostfs_opendir(fs->root, "sys/kernel/iommu_groups");

	return d != NULL && hostfs_next(d) != NULL;
}

int host_read(const struct hostfs *fs, unsigned parts, struct host *ret, struct err *err)
{
	struct host *h scope_cleanup(scope_free) = calloc(1, sizeof(*h));

	// not on the stack: with its sets it is larger than a small thread's stack should bear
	if (h == NULL)
		return err_oom(err);
	read_memory(fs, h);
	if (read_kernel(fs, h, err) < 0 || host_read_cpus(fs, parts, h, err) < 0
	    || host_read_hugepages(fs, h, err) < 0 || host_read_nodes(fs, h, err) < 0
	    || ((parts & HOST_PCI) != 0
		&& (host_read_pci(fs, h, err) < 0 || host_read_netdevs(fs, h, err) < 0))) {
		host_done(h);
		return -err->code;
	}
	host_read_cgroup(fs, h);
	h->iommu = has_iommu(fs);
	h->selinux = has_selinux(fs);
	h->apparmor = host_apparmor(fs, APPARMOR_PROFILE);
	host_read_limits(fs, &h->limits);
	*ret = *h;
	return 0;
}

void host_done(struct host *h)
{
	for (unsigned i = 0; i < h->ncpus; i++)
		free(h->cpus[i].caches);
	free(h->cpus);
	free(h->nodes);
	free(h->pci);
	free(h->netdevs);
	free(h->cmdline);
	for (unsigned i = 0; i < h->nnotes; i++)
		free(h->notes[i]);
	*h = (struct host){0};
}

const struct host_cpu *host_cpu(const struct host *h, unsigned id)
{
	unsigned low = 0, high = h->ncpus;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (h->cpus[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->ncpus && h->cpus[low].id == id ? &h->cpus[low] : NULL;
}

const struct host_node *host_node(const struct host *h, unsigned id)
{
	for (unsigned i = 0; i < h->nnodes; i++) {
		if (h->nodes[i].id == id)
			return &h->nodes[i];
	}
	return NULL;
}

int host_page_size_index(const struct host *h, uint64_t size)
{
	for (unsigned i = 0; i < h->nsizes; i++) {
		if (h->hugepages[i].size == size)
			return (int)i;
	}
	return -1;
}

struct idset host_nodes_of(const struct host *h, const struct idset *cpus)
{
	struct idset nodes = {0};

	for (unsigned i = 0; i < h->ncpus; i++) {
		if (idset_has(cpus, h->cpus[i].id))
			idset_add(&nodes, (unsigned)h->cpus[i].node);
	}
	return nodes;
}

unsigned host_distance(const struct host *h, int from, int to)
{
	const struct host_node *n = from >= 0 ? host_node(h, (unsigned)from) : NULL;

	if (n == NULL || from == to)
		return 0;
	for (unsigned i = 0; i < h->nnodes && i < n->ndistances; i++) {
		if ((int)h->nodes[i].id == to)
			return n->distances[i];
	}
	return 255;
}

int host_nearest(const struct host *h, int from, const struct idset *nodes)
{
	int best = -1;

	idset_foreach (node, nodes) {
		if (best < 0 || host_distance(h, from, node) < host_distance(h, from, best))
			best = node;
	}
	return best;
}
